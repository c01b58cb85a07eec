#include "examples/step/session.h"

#include <algorithm>

#include "core/core.h"
#include "tests/files.h"
#include "tests/step/answers.h"

using namespace gradus;
using namespace gradus::step;
using testing::Folder;

TEST_CASE("the passes go forwards over the ops, then backwards to the parameters") {
  Session session(scalar_expression());
  std::string places;
  for (std::string text; !(text = session.run("next")).starts_with("This is the end");) {
    const size_t begin = text.find("ward · node ") + std::string("ward · node ").size();
    places += text.substr(begin, text.find(' ', begin) - begin) + " ";
  }
  CHECK(places == "2 4 5 7 8 8 7 5 4 3 2 1 0 ");
}

TEST_CASE("back undoes next, to the beginning") {
  Session session(scalar_expression());
  const std::string second = answer(session, {"next", "next"});
  CHECK(answer(session, {"next 7", "back 7"}) == second);
  check_contains(answer(session, {"back 5", "back"}), "beginning");
}

TEST_CASE("an empty line repeats the last line if that moved") {
  CHECK(answer({"next", "", ""}) == answer({"next 3"}));
  CHECK(answer({"next", "print y", ""}) == "");
}

TEST_CASE("commands may be cut short, and unknown ones name the nearest") {
  CHECK(answer({"n", "n", "b"}) == answer({"next"}));
  CHECK(answer({"n", "p y"}) == answer({"next", "print y"}));
  check_contains(answer({"brekpoint"}), "did you mean 'breakpoint'?");
  check_contains(answer({"frobnicate"}), "'help' lists what there is");
  check_contains(answer({"quit now"}), "expected nothing after it");
}

TEST_CASE("continue stops at breakpoints, and a breakpoint that never fires says so") {
  Session session(scalar_expression());
  check_contains(answer(session, {"breakpoint op tanh and backward"}),
                 "fires at 1 place: backward at node 5");
  check_contains(answer(session, {"continue"}), "breakpoint 1: op tanh and backward");
  check_contains(answer(session, {"continue"}),
                 "no breakpoint on the way; the end of the backward");
  check_contains(answer(session, {"breakpoint gradient > 1000"}), "never fires");
  check_contains(answer(session, {"breakpoint"}), "1  op tanh and backward");
  check_contains(answer(session, {"delete 7"}), "there is no breakpoint '7'");
  answer(session, {"delete all"});
  check_contains(answer(session, {"breakpoint"}), "no breakpoint is set");
}

TEST_CASE("conditions test norms and other figures of values and gradients") {
  check_contains(answer({"until gradient < 2"}), "backward · node 8 ");
  check_contains(answer({"until gradient>3 and op tanh"}), "backward · node 5 ");
  check_contains(answer({"until value.max < -1"}), "forward · node 7 ");
  check_contains(answer({"until parameter bias"}), "forward · node 3 ");
  check_contains(answer({"until node 4 and backward"}), "backward · node 4 ");
  for (const char* bad :
       {"until", "until colour red", "until op", "until op tanhh", "until gradient",
        "until gradient = 3", "until gradient > much", "until value.size > 1", "until time x",
        "until layer decoder", "until op tanh or op add", "until 77", "until parameter weigth"})
    CHECK_MESSAGE(answer({bad}).starts_with("error: "), bad);
  check_contains(answer({"until op tanhh"}), "did you mean 'tanh'?");
  check_contains(answer({"until parameter weigth"}), "did you mean 'weight'?");
  check_contains(answer({"go 5", "until op tanh and forward"}), "nothing ahead");
}

TEST_CASE("tensors are named as the formula names them, or by node and parameter") {
  check_contains(answer({"next", "print"}), "multiply 2  -1");
  check_contains(answer({"next", "print a"}), "a, weight  -0.5");
  check_contains(answer({"print 2.b"}), "input  2");
  check_contains(answer({"print weight.g"}), "gradient of weight  -3.902");
  check_contains(answer({"print 2.da"}), "dL/da, to weight  -3.902");
  check_contains(answer({"print y"}), "the forward pass has not begun");
  check_contains(answer({"print wieght"}), "did you mean 'weight'?");
  check_contains(answer({"next", "print wieght"}), "did you mean 'weight'?");
  check_contains(answer({"print 99"}), "there is no node 99, they go from 0 to 8");
  check_contains(answer({"print -1"}), "there is no node -1");
  check_contains(answer({"print 99999999999999999999"}), "is not the number of a node");
  check_contains(answer({"print weight[0]"}), "the tensor () has none");
  check_contains(answer({"print 6.g"}), "no gradient reached constant");
}

TEST_CASE("tensors are sliced") {
  const Tensor x = parameter("x", reshape(arange(24, DType::float32), {2, 3, 4}));
  Trace trace;
  {
    const auto recording = trace.record();
    sum(x * x).backward();
  }
  Session session(std::move(trace));
  check_contains(answer(session, {"print x[1, 2, 3]"}), "23");
  check_contains(answer(session, {"print x[-1, 0]"}), "(4) [12, 13, 14, 15]");
  check_contains(answer(session, {"print x[:, 1, ::2]"}), "4   6\n    16  18");
  check_contains(answer(session, {"print x.g[0, 1:, 3]"}), "(2) [14, 22]");
  check_contains(answer(session, {"print x[0, 5:, 0]"}), "(0) []");
  for (const char* bad : {"print x[2]", "print x[0, 0, 0, 0]", "print x[a]", "print x[0",
                          "print x[]", "print x[0, ::0]", "print x[0, ::-1]", "print x[0:1:1:1]",
                          "print x[99999999999999999999]", "print x[0]]"})
    CHECK_MESSAGE(answer(session, {bad}).starts_with("error: "), bad);
}

TEST_CASE("every command has help with an example that works") {
  Session session(scalar_expression());
  const std::string overview = session.run("help");
  for (const std::string& command : session.completions("")) {
    check_contains(overview, "  " + command);
    check_contains(session.run("help " + command), "for instance: " + command);
  }
  check_contains(answer(session, {"help prnt"}), "did you mean 'print'?");
}

TEST_CASE("words are completed by what may stand there") {
  const Session session(scalar_expression());
  CHECK(session.completions("ne") == std::vector<std::string>{"next"});
  CHECK(session.completions("until op t") == std::vector<std::string>{"tanh"});
  CHECK(session.completions("print we") == std::vector<std::string>{"weight"});
  CHECK(session.completions("break gra") == std::vector<std::string>{"gradient"});
  CHECK(session.completions("frobnicate x").empty());
  CHECK(session.completes_file("save runs/"));
  CHECK_FALSE(session.completes_file("save"));
  CHECK_FALSE(session.completes_file("print w"));
}

TEST_CASE("a saved trace is stepped through like the recorded one") {
  const Folder folder;
  Session session(scalar_expression());
  check_contains(answer(session, {"save " + (folder / "a.trace")}), "the trace is in");
  const std::vector<std::string> walk{"go 5 backward", "where"};
  const std::string before = answer(session, walk);
  check_contains(answer(session, {"open " + (folder / "a.trace")}), "9 nodes");
  CHECK(answer(session, walk) == before);
  testing::write(folder / "not", "a trace");
  for (const std::string& bad :
       {"open " + (folder / "not"), "open " + (folder / "none"), "open " + folder.path,
        std::string("open 0"), std::string("open 99"), "save " + (folder / "not/where"),
        std::string("save")})
    CHECK_MESSAGE(answer(session, {bad}).starts_with("error: "), bad);
  CHECK(answer(session, walk) == before);
}

namespace {

/// Twice x, with a gradient rule that forgets the 2.
Trace with_a_wrong_rule() {
  const Tensor x = parameter("x", tensor({1, 2, 3}));
  Trace trace;
  {
    const auto recording = trace.record();
    auto twice = [](const std::vector<Tensor>& inputs) {
      const NoGrad pause;
      return inputs[0] + inputs[0];
    };
    const Tensor y = record(
        {"twice", "2 · x", {{"g"}}}, twice({x}), {x},
        [](const Backward& b) { return std::vector<Gradient>{b.gradient}; }, twice);
    sum(tanh(y)).backward();
  }
  return trace;
}

}  // namespace

TEST_CASE("a wrong gradient rule is found and named") {
  Session session(with_a_wrong_rule());
  const std::string text = answer(session, {"check all"});
  check_contains(text, "twice, node 1");
  check_contains(text, "✗ the gradient rule disagrees");
  check_contains(text, "the rule says");
  check_contains(answer(session, {"check 2"}), "✓ the gradient rule agrees");
  check_contains(answer(session, {"until wrong"}), "node 1 of 4 · twice");
  check_contains(answer(session, {"check x"}), "error: ");
  CHECK(answer({"check all"}) ==
        "  of 5 ops, 5 have a gradient rule that agrees with differences, 0 one that does not\n");
}

TEST_CASE("a trace file has the verdicts that it was saved with, and cannot make new ones") {
  const Folder folder;
  Session session(with_a_wrong_rule());
  answer(session, {"check 2", "save " + (folder / "a"), "open " + (folder / "a")});
  check_contains(answer(session, {"check 2"}), "✓");
  check_contains(answer(session, {"check 1"}), "only the program that records can check");
}

TEST_CASE("what-if gives what the program would have computed, and undo takes it back") {
  Session session(scalar_expression());
  const std::string before = answer(session, {"next", "list 0 8"});
  check_contains(answer(session, {"set weight = 0.5"}), "weight: -0.5 → 0.5");
  check_contains(answer(session, {"print 8"}), "0.02302");  // (tanh(0.5 · 2 + 0.25) − 1)²
  check_contains(answer(session, {"set 5.y = 1"}), "output: 0.8483 → 1");
  check_contains(answer(session, {"print bias.g"}), "bias  0");
  check_contains(answer(session, {"undo"}), "1 change still set");
  check_contains(answer(session, {"undo"}), "as it was recorded");
  CHECK(answer(session, {"list 0 8"}) == before);
  check_contains(answer(session, {"undo"}), "nothing has been set");
  for (const char* bad : {"set", "set weight", "set weight = much",
                          "set weight =", "set weight.g = 1", "set 99 = 1", "set weight[0] = 1"})
    CHECK_MESSAGE(answer(session, {bad}).starts_with("error: "), bad);
  CHECK(answer(session, {"list 0 8"}) == before);
}

TEST_CASE("what-if changes a slice of a tensor") {
  Session session(dense_layer());
  check_contains(answer(session, {"set dense.weight[:, 0] = 0", "print dense.weight"}), "0.0000");
  check_contains(answer(session, {"print dense.weight[1, 0]"}), "  0\n");
  check_contains(answer(session, {"print dense.weight[1, 1]"}), "-0.07869");
}

TEST_CASE("a trace file alone says why nothing can be changed in it") {
  const Folder folder;
  Session session(scalar_expression());
  const std::string text =
      answer(session, {"save " + (folder / "a"), "open " + (folder / "a"), "set weight = 1"});
  check_contains(text, "it holds numbers, but not the computations of its ops");
}

TEST_CASE("traces are compared, the first difference first") {
  const Folder folder;
  Session session(scalar_expression(), {}, lessons());
  check_contains(answer(session, {"compare"}), "expected the file of a trace");
  check_contains(answer(session, {"save " + (folder / "a"), "compare " + (folder / "a")}),
                 "no difference");
  const std::string text = answer(session, {"set 4.y = 0", "compare " + (folder / "a")});
  check_contains(text, "in the order of the passes:\n  add 4: value 0, there -0.75\n");
  check_contains(answer(session, {"compare"}), "before -0.75");
  check_contains(answer(session, {"compare " + (folder / "none")}), "error: ");
  answer(session, {"open 2"});
  check_contains(answer(session, {"compare " + (folder / "a")}), "only there");
}

namespace {

Trace small_sum(int terms) {
  const Tensor x = parameter("x", tensor({1, 2}));
  Trace trace;
  {
    const auto recording = trace.record();
    Tensor y = x;
    for (int i = 0; i < terms; ++i) y = y * 2;
    sum(y).backward();
  }
  return trace;
}

}  // namespace

TEST_CASE("compare lists the first differences, or all, beyond a tolerance") {
  const Folder folder;
  small_sum(20).save(folder / "a");
  Session session(small_sum(20));
  answer(session, {"set x = 3"});
  const auto lines = [](const std::string& text) { return std::ranges::count(text, '\n'); };
  CHECK(lines(answer(session, {"compare " + (folder / "a")})) == 1 + 16 + 1);
  check_contains(answer(session, {"compare"}), "  and 7 more; with 'all' at the end");
  CHECK(lines(answer(session, {"compare all"})) == 1 + 23);
  CHECK(lines(answer(session, {"compare " + (folder / "a") + " within 0.1 all"})) == 1 + 23);
  check_contains(answer(session, {"undo", "set x[0] = 1.000001", "compare within 1e-5"}),
                 "no difference beyond 1e-05");
  check_contains(answer(session, {"compare within much"}), "'much' is not a number");
  check_contains(answer(session, {"compare within -1"}), "a tolerance is at least 0");
}

TEST_CASE("check all can be watched and stopped") {
  Session session(small_sum(20));
  std::vector<int> told;
  session.on_progress([&](std::string_view doing, int done, int of) {
    CHECK(doing == "checking");
    CHECK(of == 22);
    told.push_back(done);
    return done < 3;
  });
  const std::string text = answer(session, {"check all"});
  CHECK(told == std::vector<int>{0, 1, 2, 3});
  check_contains(text, "  stopped: the rest was not checked\n");
  check_contains(text, "of 22 ops, 3 have a gradient rule that agrees");
}

TEST_CASE("provenance names the nodes that an element of a gradient came from") {
  check_contains(
      answer({"provenance weight"}),
      "gradient of weight: -3.902, the sum of 1 part\n       -3.902  through multiply 2");
  check_contains(answer({"provenance 7"}), "-3.27, the sum of 2 parts");
  Session session(dense_layer());
  check_contains(answer(session, {"provenance dense.weight[0, 1]"}), "through linear 3, row [1]");
  for (const char* bad : {"provenance", "provenance dense.weight", "provenance dense.weight[9, 9]",
                          "provenance 0[0, 0]", "provenance 4.dx[0, 0]"})
    CHECK_MESSAGE(answer(session, {bad}).starts_with("error: "), bad);
}

TEST_CASE("html writes the page") {
  const Folder folder;
  check_contains(answer({"html " + (folder / "a.html")}), "the page is in ");
  check_contains(testing::contents(folder / "a.html"), "</html>");
  check_contains(answer({"html " + (folder / "new/folder/a.html")}), "the page is in ");
  check_contains(answer({"set weight = 1", "html " + (folder / "b.html")}), "the page is in ");
  CHECK(std::filesystem::file_size(folder / "b.html") >
        std::filesystem::file_size(folder / "a.html"));
  check_contains(answer({"html"}), "error: ");
  check_contains(answer({"html /dev/null/where"}), "error: ");
}

TEST_CASE("the weights of attention stand under their tokens, wide ones too") {
  Session session(scaled_dot_product_attention());
  check_contains(
      answer(session, {"print 6"}),
      "               I   drink     tea\n    我    0.7361  0.0996  0.1643\n    喝茶  0.0900");
  check_contains(answer(session, {"attention"}), "喝茶     ▓▓ ░░\n");
  check_contains(answer({"attention"}), "there is no attention in this trace");
}

namespace {

/// An op of eight inputs, whose seventh would be called as the gradient is.
Trace with_eight_inputs() {
  Trace trace;
  {
    const auto recording = trace.record();
    std::vector<Tensor> inputs;
    for (int i = 0; i < 8; ++i) inputs.push_back(parameter("", tensor({10. + i})));
    const Tensor y = record(
        {"eight", "a + … + i", {{"g"}}}, tensor({8}), inputs,
        [](const Backward& b) { return std::vector<Gradient>(b.size(), b.gradient); }, nullptr,
        [] {
          return Attributes{{"axis", int64_t{2}}};
        });
    sum(y * 3).backward();
  }
  return trace;
}

}  // namespace

TEST_CASE("the seventh operand and the gradient have names of their own") {
  Session session(with_eight_inputs());
  check_contains(answer(session, {"formula 8"}), "f = computed before 5, h = ");
  check_contains(answer(session, {"formula 8"}), "dL/dh = g\n");
  check_contains(answer(session, {"print 8.h"}), "(1) 16");
  check_contains(answer(session, {"print 8.g"}), "(1) 3");
  check_contains(answer(session, {"print 8.dh"}), "(1) 3");
}

TEST_CASE("what an op was asked for stands beside its formula") {
  Session session(with_eight_inputs());
  check_contains(answer(session, {"go 8"}), "  y = a + … + i, with axis = 2\n");
  check_contains(answer(session, {"formula 8"}), "  y = a + … + i, with axis = 2\n");
}

TEST_CASE("details say what the backward pass keeps, and for which derivatives") {
  Session session(scalar_expression());
  check_contains(answer(session, {"go 5", "where"}),
                 "kept for the backward pass: by output for dL/dx\n");
  check_contains(answer(session, {"go 7", "where"}),
                 "kept for the backward pass: by loss for dL/da, dL/db\n");
  CHECK(answer(session, {"go 4", "where"}).find("kept") == std::string::npos);
}

TEST_CASE("a softmax without a product is not attention") {
  Trace trace;
  {
    const auto recording = trace.record();
    const Tensor x = parameter("x", tensor({{1, 2}, {3, 4}}));
    sum(log(softmax(x, 1))).backward();
  }
  Session session(std::move(trace));
  check_contains(answer(session, {"attention"}), "there is no attention in this trace");
}

TEST_CASE("every command answers on an empty trace") {
  Session session{Trace()};
  for (const char* command :
       {"next", "back", "continue", "list", "tree", "where", "print", "formula", "graph",
        "attention", "until op tanh", "go 0", "breakpoint nan", "doctor", "into", "out"})
    CHECK_NOTHROW(answer(session, {command}));
}
