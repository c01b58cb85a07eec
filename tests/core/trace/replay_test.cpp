#include <doctest/doctest.h>

#include "core/core.h"
#include "core/functions/gradient_check.h"
#include "core/tensor/error.h"
#include "core/trace/compare.h"
#include "tests/files.h"

using namespace gradus;

namespace {

using What = Difference::What;

Tensor floats(const Shape& shape, double phase) {
  return cast(irregular(shape, phase), DType::float32);
}

/// The derivative of tanh from its value y.
const Pointwise slope{"slope", [](Expr y, Expr g) { return g * (1 - y * y); }};

Tensor tanh_of_value(const Tensor& x, const Tensor& y) {
  return record(
      {"tanh", "tanh(x)", {{"g · (1 − y · y)", reads("y")}}}, y, {x},
      [](const Backward& b) { return std::vector<Gradient>{slope(b.output(), b.gradient)}; });
}

/// Two layers and a loss; `given_h` takes the place of what the first one gives.
struct Run {
  Tensor w, v;
  Trace trace;

  explicit Run(const Tensor& given_h = {}, double w_phase = 0) {
    w = floats({70, 60}, w_phase).require_grad();
    v = floats({60, 50}, 0.3).require_grad();
    w.set_name("w");
    v.set_name("v");
    const Tensor x = floats({80, 70}, 0.6);
    const auto recording = trace.record();
    const Tensor scores = matmul(x, w) * 0.1;
    const Tensor h = given_h.defined() ? tanh_of_value(scores, given_h) : tanh(scores);
    const Tensor y =
        softmax(matmul(transpose(transpose(h)), v) + unsqueeze(sum(transpose(h), {0}), 1) * 0.01);
    sum(y * y).backward();
  }

  int number_of(const std::string& op) const {
    for (int n = 0; n < trace.size(); ++n)
      if (trace.node(n).op == op) return n;
    return -1;
  }
};

/// All values and gradients are the same bits.
void check_equal(const Trace& a, const Trace& b) {
  REQUIRE(a.size() == b.size());
  for (int n = 0; n < a.size(); ++n) {
    CAPTURE(a.description(n));
    CHECK(a.node(n).op == b.node(n).op);
    CHECK(a.node(n).value.values().to_vector<double>() ==
          b.node(n).value.values().to_vector<double>());
    REQUIRE(a.node(n).gradient.defined() == b.node(n).gradient.defined());
    if (a.node(n).gradient.defined())
      CHECK(a.node(n).gradient.values().to_vector<double>() ==
            b.node(n).gradient.values().to_vector<double>());
  }
}

}  // namespace

TEST_CASE("a replay with a changed value is bit for bit a fresh run with that value") {
  const Run run;
  SUBCASE("of a step in between") {
    const Tensor changed = floats({80, 60}, 0.9);
    const Run fresh(changed);
    const int h = run.number_of("tanh");
    check_equal(run.trace.replay(h, changed), fresh.trace);
  }
  SUBCASE("of a parameter") {
    const Run fresh({}, 0.8);
    REQUIRE(run.trace.node(1).name == "w");
    check_equal(run.trace.replay(1, floats({70, 60}, 0.8)), fresh.trace);
  }
  SUBCASE("that is the old one: nothing changes") {
    check_equal(run.trace.replay(0, run.trace.node(0).value.values()), run.trace);
  }
}

TEST_CASE(
    "a replay keeps names, layers and lines, and can be replayed and shown beside the first") {
  const Run run;
  const int h = run.number_of("tanh");
  const Trace once = run.trace.replay(h, floats({80, 60}, 0.9));
  CHECK(once.node(1).name == "w");
  CHECK(once.node(h).source == run.trace.node(h).source);
  CHECK(once.node(h).formula == "tanh(x)");
  check_equal(once.replay(h, run.trace.node(h).value.values()), run.trace);

  const std::vector<Difference> differences = compare(run.trace, once);
  REQUIRE_FALSE(differences.empty());
  CHECK(differences[0].what == What::value);
  CHECK(differences[0].a == h);
}

TEST_CASE("a replay changes several values at once") {
  const Run run;
  const int h = run.number_of("tanh");
  const Tensor w = floats({70, 60}, 0.8), changed = floats({80, 60}, 0.9);
  check_equal(run.trace.replay({{1, w}, {h, changed}}), run.trace.replay(1, w).replay(h, changed));
  check_equal(run.trace.replay(std::map<int, Tensor>()), run.trace);
}

TEST_CASE("a replay puts another elementwise function in the place of an op") {
  const Run run;
  const int h = run.number_of("tanh");
  const Pointwise half{"half", [](Expr x) { return x * 0.5; }};
  const Trace other = run.trace.replay(
      {}, [&](const TraceNode& node) { return node.op == "tanh" ? &half : nullptr; });
  REQUIRE(other.size() == run.trace.size());
  CHECK(other.node(h).op == "half");
  CHECK(other.node(h).formula == "x · 0.5");
  check_equal(other.replay(std::map<int, Tensor>()), other);
  const Tensor g = other.node(h).gradient.values(), sent = other.sent(h)[0].values();
  CHECK(largest_difference(sent, g * 0.5) == 0);
}

TEST_CASE("what cannot be replayed is refused") {
  const Run run;
  const int h = run.number_of("tanh");
  CHECK_THROWS_WITH_AS(run.trace.replay(h, floats({3}, 0)),
                       doctest::Contains("expected float32 (80, 60), got float32 (3)"), Error);
  CHECK_THROWS_AS(run.trace.replay(99, floats({3}, 0)), Error);

  const Tensor x = floats({2}, 0).require_grad();
  Trace trace;
  {
    const auto recording = trace.record();
    record("mystery", x.detach(), {x},
           [](const Backward& b) { return std::vector<Gradient>{b.gradient}; });
  }
  CHECK_THROWS_WITH_AS(trace.replay(0, floats({2}, 1)), doctest::Contains("mystery, node 1"),
                       Error);

  const testing::Folder folder;
  const std::string path = folder / "f";
  run.trace.save(path);
  const Trace loaded = Trace::load(path);
  CHECK_THROWS_WITH_AS(loaded.replay(h, floats({80, 60}, 0.9)), doctest::Contains("from a file"),
                       Error);
}

TEST_CASE("a comparison names the first difference first") {
  const Run a, same, b({}, 0.8);
  CHECK(compare(a.trace, same.trace).empty());
  const auto differences = compare(a.trace, b.trace);
  REQUIRE(differences.size() > 4);
  CHECK(a.trace.node(differences[0].a).name == "w");
  CHECK(differences[0].largest > 0.1);
  CHECK(differences[0].element >= 0);
  bool gradients = false;
  for (const Difference& difference : differences) {
    if (difference.what == What::gradient) gradients = true;
    CHECK(gradients == (difference.what == What::gradient));  // after all values
  }
  CHECK(compare(a.trace, b.trace, 100).empty());
}

TEST_CASE("a comparison finds steps that only one trace has") {
  Trace with, without;
  {
    const Tensor x = floats({3}, 0).require_grad();
    const auto recording = with.record();
    sum(exp(tanh(x))).backward();
  }
  {
    const Tensor x = floats({3}, 0).require_grad();
    const auto recording = without.record();
    sum(tanh(x)).backward();
  }
  CHECK(compare(with, without)[0].what == What::only_in_a);
  CHECK(with.node(compare(with, without)[0].a).op == "exp");
  CHECK(compare(without, with)[0].what == What::only_in_b);
}
