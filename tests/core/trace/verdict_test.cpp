#include "core/trace/verdict.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/core.h"
#include "core/functions/gradient_check.h"
#include "core/tensor/error.h"
#include "tests/files.h"

using namespace gradus;

namespace {

using Inputs = std::vector<Tensor>;

/// x² with a rule whose factor is `factor(i)` instead of 2 for element i.
template <class F>
Tensor square(const Tensor& x, F factor) {
  Tensor factors = zeros(x.shape(), x.dtype());
  for (int64_t i = 0; i < x.numel(); ++i)
    factors.mutable_data<float>()[i] = static_cast<float>(factor(i));
  return record(
      "square", (x * x).detach(), {x},
      [factors](const Backward& b) {
        return std::vector<Gradient>{b.gradient * b.input(0) * cast(factors, b.gradient.dtype())};
      },
      [](const Inputs& in) { return in[0] * in[0]; });
}

Tensor floats(const Shape& shape, double phase = 0) {
  return cast(irregular(shape, phase), DType::float32).require_grad();
}

/// The steps of y = f(x), with all verdicts.
template <class F>
Trace checked(F f) {
  Trace trace;
  {
    const auto recording = trace.record();
    sum(f()).backward();
  }
  check(trace);
  return trace;
}

const Verdict& verdict_of(const Trace& trace, const std::string& op) {
  for (const TraceNode& node : trace.nodes())
    if (node.op == op) {
      REQUIRE(node.verdict.has_value());
      return *node.verdict;
    }
  throw Error("no such op");
}

}  // namespace

TEST_CASE("the rules of all kinds of ops agree with differences, small and large") {
  for (int64_t size : {3, 40}) {
    const Tensor a = floats({size, size}), b = floats({size, size}, 0.5), c = floats({size}, 0.7);
    const Tensor ids = tensor({0, 2, 2}, DType::int64);
    const Trace trace = checked([&] {
      const Tensor y = linear(matmul(a, b), b, c);
      const Tensor z = softmax(y, -1) * log_softmax(transpose(y)) + logsumexp(y, {1}, keepdims);
      const Tensor w =
          concat({gather(z, ids), slice(z, 0, 0, 2), pad(slice(z, 0, 1, 2), 0, 1, 1)}, 0);
      return sum(max(tanh(w) / (2 + abs(w)), {1})) + mean(expand(c, {size, size}));
    });
    int count = 0;
    for (int n = 0; n < trace.size(); ++n) {
      if (!trace.node(n).verdict) continue;
      CAPTURE(trace.description(n));
      const Verdict& verdict = *trace.node(n).verdict;
      CAPTURE(verdict.rule);
      CAPTURE(verdict.difference);
      CHECK(verdict.result == Verdict::Result::agrees);
      CHECK(verdict.checked == verdict.count);
      ++count;
    }
    CHECK(count > 15);
  }
}

TEST_CASE("a wrong rule is found, with the element that is wrong") {
  SUBCASE("everywhere by a little") {
    const Trace trace = checked([] { return square(floats({5}), [](int64_t) { return 2.001; }); });
    CHECK(verdict_of(trace, "square").result == Verdict::Result::disagrees);
    CHECK(verdict_of(trace, "square").rule ==
          doctest::Approx(verdict_of(trace, "square").difference * 1.0005));
  }
  SUBCASE("in one of a hundred thousand elements") {
    const Trace trace = checked(
        [] { return square(floats({100'000}), [](int64_t i) { return i == 70'123 ? 2.1 : 2; }); });
    const Verdict& verdict = verdict_of(trace, "square");
    CHECK(verdict.result == Verdict::Result::disagrees);
    CHECK(verdict.element == 70'123);
    CHECK(verdict.rule == doctest::Approx(verdict.difference * 1.05));
  }
  SUBCASE("not a number") {
    const Trace trace = checked(
        [] { return square(floats({100}), [](int64_t i) { return i == 7 ? std::nan("") : 2; }); });
    CHECK(verdict_of(trace, "square").result == Verdict::Result::disagrees);
    CHECK(verdict_of(trace, "square").element == 7);
  }
  SUBCASE("and the steps around it stand") {
    Trace trace;
    {
      const auto recording = trace.record();
      sum(tanh(square(exp(floats({5})), [](int64_t) { return 3; }))).backward();
    }
    const std::vector<int> wrong = check(trace);
    REQUIRE(wrong.size() == 1);
    CHECK(trace.node(wrong[0]).op == "square");
  }
}

TEST_CASE("kinks and infinities take no part in a verdict") {
  const Tensor x = tensor({-1, 0, 2, 0}).require_grad();
  const Trace kinks = checked([&] { return abs(x); });
  CHECK(verdict_of(kinks, "abs").result == Verdict::Result::agrees);
  CHECK(verdict_of(kinks, "abs").reason.find("2 of 4") != std::string::npos);

  const Tensor masked = tensor({1, -std::numeric_limits<double>::infinity(), 2}).require_grad();
  CHECK(verdict_of(checked([&] { return softmax(masked); }), "softmax").result ==
        Verdict::Result::agrees);
  CHECK(verdict_of(checked([&] { return log_softmax(masked); }), "log_softmax").result ==
        Verdict::Result::agrees);
}

namespace {

using Result = Verdict::Result;

/// The verdict on this op of these numbers.
template <class F>
Verdict verdict_at(const std::vector<double>& x, const char* op, F f) {
  const Tensor values = tensor(x, {static_cast<int64_t>(x.size())});
  return verdict_of(checked([&] { return f(cast(values, DType::float32).require_grad()); }), op);
}

}  // namespace

TEST_CASE("a right rule is not accused where values are not finite") {
  const auto logarithm = [](const Tensor& x) { return log(x); };
  const auto root = [](const Tensor& x) { return sqrt(x); };
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
  SUBCASE("nothing took part: it is not checked") {
    for (const auto& x : std::vector<std::vector<double>>{{0}, {-1}, {nan}, {infinity}, {0, nan}}) {
      CAPTURE(x.front());
      CHECK(verdict_at(x, "log", logarithm).result == Result::not_finite);
      CHECK(verdict_at(x, "log", logarithm).checked == 0);
    }
    CHECK(verdict_at({0}, "sqrt", root).result == Result::not_finite);
    CHECK(verdict_at({0}, "sqrt", root).reason == "1 of 1 elements of the value are not finite");
    CHECK(verdict_at({nan, 1}, "softmax", [](const Tensor& x) { return softmax(x); }).result ==
          Result::not_finite);
  }
  SUBCASE("the others are checked, few and many") {
    for (const size_t size : {3, 1000}) {
      std::vector<double> x(size, 2);
      x[1] = 0;
      for (const Verdict& v : {verdict_at(x, "log", logarithm), verdict_at(x, "sqrt", root)}) {
        CHECK(v.result == Result::agrees);
        CHECK(v.checked == static_cast<int64_t>(size) - 1);
        CHECK(v.count == static_cast<int64_t>(size));
        CHECK(v.reason.find("not finite and took no part") != std::string::npos);
      }
    }
  }
  SUBCASE("and a wrong rule is still found beside them") {
    const auto wrong = [](const Tensor& x) {
      const auto forward = [](const Inputs& in) { return log(in[0]); };
      return record(
          "wrong", log(x).detach(), {x},
          [](const Backward& b) { return std::vector<Gradient>{b.gradient / b.input(0) * 2}; },
          forward);
    };
    for (const size_t size : {3, 1000}) {
      std::vector<double> x(size, 2);
      x[0] = 0;
      CHECK(verdict_at(x, "wrong", wrong).result == Result::disagrees);
      CHECK(verdict_at(x, "wrong", wrong).element != 0);
    }
  }
  SUBCASE("nor is a rule that gives NaN where the op is finite excused by them") {
    for (const size_t size : {3, 1000}) {
      std::vector<double> x(size, 1);
      x[0] = infinity;
      const Verdict v = verdict_at(x, "square", [](const Tensor& x) {
        return square(x, [](int64_t i) { return i == 2 ? std::nan("") : 2; });
      });
      CHECK(v.result == Result::disagrees);
      CHECK(v.element == 2);
    }
  }
}

TEST_CASE("a step that cannot run again has an unknown verdict that says why") {
  const Trace trace = checked([] {
    const Tensor x = floats({2});
    return record("mystery", x.detach(), {x},
                  [](const Backward& b) { return std::vector<Gradient>{b.gradient}; });
  });
  CHECK(verdict_of(trace, "mystery").result == Verdict::Result::unknown);
  CHECK(verdict_of(trace, "mystery").reason.find("record()") != std::string::npos);
}

TEST_CASE("verdicts are saved with the trace, and a file has no others") {
  Trace trace;
  {
    const auto recording = trace.record();
    sum(tanh(floats({3}))).backward();
  }
  check(trace, 1);
  const testing::Folder folder;
  const std::string path = folder / "f";
  trace.save(path);
  Trace loaded = Trace::load(path);
  CHECK(check(loaded, 1).result == Verdict::Result::agrees);
  CHECK(check(loaded, 1).difference == trace.node(1).verdict->difference);
  CHECK_THROWS_WITH_AS(check(loaded, 2), doctest::Contains("only the program that records"), Error);
  CHECK_THROWS_WITH_AS(check(trace, 0), doctest::Contains("not an op"), Error);
  CHECK_THROWS_AS(check(trace, 99), Error);
}
