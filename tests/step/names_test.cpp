#include <typeindex>

#include "core/core.h"
#include "examples/step/page.h"
#include "examples/step/session.h"
#include "tests/files.h"
#include "tests/step/answers.h"

using namespace gradus;
using namespace gradus::step;
using testing::Folder;

TEST_CASE("every name on the screen can be typed") {
  check_contains(answer({"print loss"}), "  loss  2.674\n");
  check_contains(answer({"print output.g"}), "gradient of output  -3.27\n");
  check_contains(answer({"print multiply 2"}), "  multiply 2  -1\n");
  check_contains(answer({"print constant 6"}), "  constant 6  1\n");
  check_contains(answer({"go add 4 backward"}), "backward · node 4 ");
  check_contains(answer({"graph add 4"}), "╰ x of 5 · output = tanh");
  check_contains(answer({"list error"}), "7  error = subtract");
  check_contains(answer({"print tanh"}), "  output  -0.6351\n");
  check_contains(answer({"print multiply"}), "'multiply' may be multiply 2, loss");
  check_contains(answer({"until parameter loss"}), "node 8 of 8 · loss = multiply");
  check_contains(answer({"set loss = 3"}), "loss: 2.674 → 3");
  check_contains(answer({"set weight = 1", "print loss"}), "  loss  ");
  Session session(dense_layer());
  check_contains(answer(session, {"print weight[0, 0]"}), "dense.weight[0, 0]  ");
  check_contains(answer(session, {"print dense"}), "linear 3  (2, 3)");
  check_contains(answer(session, {"go 3", "print a[0]"}), "a, constant 0[0]  (2) [1, -2]");
}

TEST_CASE("what cannot be meant by a name is said, with what is near") {
  check_contains(answer({"exit"}), "did you mean 'quit'?");
  check_contains(answer({"go losss"}), "did you mean 'loss'?");
  Session session(scaled_dot_product_attention());
  check_contains(answer(session, {"attention nosuch"}),
                 "there is no attention in 'nosuch'; there is some: ");
}

TEST_CASE("names that would control a terminal or a page are shown, not obeyed") {
  const std::string evil = "a\x1b[2J\"\u202e</script>'\a";
  struct Layer {
    Tensor weight;
    Tensor operator()(const Tensor& x) const {
      const Scope scope(this);
      return softmax(matmul(x, weight));
    }
  };
  Layer layer{tensor({{1, 2}, {3, 4}}).require_grad()};
  layer.weight.set_name(evil + ".weight");
  Trace trace;
  {
    const auto recording =
        trace.record(LayerNames{{{&layer, std::type_index(typeid(Layer))}, evil}});
    const Tensor wrong = record(
        "wr\x1b]0;ong", (layer.weight * 2).detach(), {layer.weight},
        [](const Backward& b) { return std::vector<Gradient>{b.gradient}; },
        [](const std::vector<Tensor>& in) { return in[0] * 2; });
    const Tensor loss = sum(matmul(layer(layer.weight), wrong));
    loss.set_name(evil);
    loss.backward();
  }
  trace.keys = {evil, evil};
  const Folder folder;
  trace.save(folder / "a");
  Session session(std::move(trace));
  const std::vector<std::string> commands{"next",
                                          "next",
                                          "list 0 9",
                                          "tree",
                                          "tree " + evil,
                                          "graph " + evil,
                                          "print " + evil,
                                          "where",
                                          "go " + evil + " backward",
                                          "formula",
                                          "attention",
                                          "attention x",
                                          "check all",
                                          "doctor",
                                          "provenance " + evil + ".weight[0, 0]",
                                          "breakpoint layer " + evil,
                                          "breakpoint",
                                          "go start",
                                          "continue",
                                          "set " + evil + ".weight = 2",
                                          "compare",
                                          "compare " + (folder / "a"),
                                          "undo",
                                          "into softmax",
                                          "list",
                                          "out",
                                          "frob\x1b[2J"};
  for (const std::string& command : commands) {
    CAPTURE(command);
    const std::string text = answer(session, {command});
    if (text.starts_with("error: ")) continue;  // is made printable where it is printed
    CHECK(text.find('\x1b') == text.npos);
    CHECK(text.find("\u202e") == text.npos);
    CHECK(text.find('\a') == text.npos);
  }
  write_page(session.trace(), folder / "a.html");
  const std::string page = testing::contents(folder / "a.html");
  CHECK(page.find("\u202e") == page.npos);
  CHECK(page.find("\"</script>") == page.npos);
  CHECK(page.find("\\u003c/script>") != page.npos);
}
