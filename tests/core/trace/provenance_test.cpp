#include "core/trace/provenance.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "core/core.h"
#include "core/functions/gradient_check.h"
#include "core/tensor/error.h"

using namespace gradus;

namespace {

double total(const std::vector<Contribution>& parts) {
  return std::accumulate(parts.begin(), parts.end(), 0.0,
                         [](double sum, const Contribution& c) { return sum + c.amount; });
}

Tensor floats(const Shape& shape, double phase = 0) {
  return cast(irregular(shape, phase), DType::float32).require_grad();
}

}  // namespace

TEST_CASE("a weight's gradient is the sum over the time steps and rows that used it") {
  const Tensor w = floats({3, 3}), x = floats({2, 3}, 0.5).detach();
  Trace trace;
  {
    const auto recording = trace.record();
    Tensor h = x;
    for (int t = 0; t < 3; ++t) h = tanh(linear(h, w));
    sum(h * h).backward();
  }
  const std::vector<double> gradient = w.grad().to_vector<double>();
  const int weight = trace.node(2).inputs.empty() ? 1 : trace.node(2).inputs[1];
  REQUIRE(trace.node(weight).kind == TraceNode::Kind::parameter);
  for (int64_t element = 0; element < 9; ++element) {
    const auto parts = provenance(trace, weight, element);
    CHECK(parts.size() == 6);  // three steps of two rows
    CHECK(total(parts) == doctest::Approx(gradient[static_cast<size_t>(element)]).epsilon(1e-5));
    for (size_t i = 1; i < parts.size(); ++i)
      CHECK(std::abs(parts[i].amount) <= std::abs(parts[i - 1].amount));
    for (const Contribution& part : parts) {
      CHECK(trace.node(part.node).op == "linear");
      CHECK(part.at.size() == 1);
    }
  }
}

TEST_CASE("of a NaN the rows that it came through stand first") {
  const double nan = std::nan("");
  const Tensor table = floats({4, 2}), factors = tensor({{1, 2}, {3, 4}, {nan, nan}});
  const Tensor ids = tensor({1, 3, 1}, DType::int64);
  Trace trace;
  {
    const auto recording = trace.record();
    sum(gather(table, ids) * factors).backward();
  }
  const auto parts = provenance(trace, 0, 1 * 2);
  REQUIRE(parts.size() == 2);
  CHECK(parts[0].at == std::vector<int64_t>{2});
  CHECK(std::isnan(parts[0].amount));
  CHECK(parts[1].amount == 1);
  CHECK(total(provenance(trace, 0, 3 * 2)) == 3);
}

TEST_CASE("a word's embedding gets its gradient from the places where the word stands") {
  const Tensor table = floats({4, 2});
  const Tensor ids = tensor({{1, 3}, {2, 1}}, DType::int64);
  Trace trace;
  {
    const auto recording = trace.record();
    const Tensor rows = gather(table, ids);
    sum(rows * rows * rows).backward();
  }
  const auto parts = provenance(trace, 0, 1 * 2 + 1);  // word 1, second feature
  REQUIRE(parts.size() == 2);
  const std::vector<std::vector<int64_t>> places{parts[0].at, parts[1].at};
  CHECK(places == std::vector<std::vector<int64_t>>{{0, 0}, {1, 1}});
  CHECK(parts[0].amount == parts[1].amount);
  CHECK(total(parts) == doctest::Approx(table.grad().to_vector<double>()[3]).epsilon(1e-5));
  CHECK(provenance(trace, 0, 0).empty());  // word 0 stands nowhere
}

TEST_CASE("what a row of a million contributes is as accurate as a blocked sum") {
  constexpr int64_t many = 1'000'000;
  const Tensor w = full({1}, 1, DType::float64).require_grad();
  Trace trace;
  {
    const auto recording = trace.record();
    sum(w * full({many}, 0.1, DType::float64)).backward();
  }
  const auto parts = provenance(trace, 0, 0);
  REQUIRE(parts.size() == 1);
  // The plain sum is off by 10⁻¹¹.
  CHECK(parts[0].amount == doctest::Approx(many * 0.1).epsilon(1e-14));
}

TEST_CASE("views are looked through, and rows are named in the shape that people know") {
  const Tensor w = floats({3, 2}), x = floats({2, 4, 3}, 0.3);
  Trace trace;
  {
    const auto recording = trace.record();
    sum(tanh(matmul(x, transpose(transpose(w))))).backward();
  }
  int weight = -1;
  for (int n = 0; n < trace.size(); ++n)
    if (trace.node(n).kind == TraceNode::Kind::parameter &&
        trace.node(n).value.shape() == w.shape())
      weight = n;
  const auto parts = provenance(trace, weight, 5);
  CHECK(parts.size() == 8);
  for (const Contribution& part : parts) {
    CHECK(trace.node(part.node).op == "matmul");
    CHECK(part.at.size() == 2);
  }
  CHECK(total(parts) == doctest::Approx(w.grad().to_vector<double>()[5]).epsilon(1e-5));
}

TEST_CASE("an attention weight tells which later gradients flowed into it") {
  const Tensor scores = floats({1, 2, 3}), values = floats({1, 3, 2}, 0.4);
  Trace trace;
  {
    const auto recording = trace.record();
    const Tensor weights = softmax(scores);
    (sum(matmul(weights, values)) + sum(weights * weights)).backward();
  }
  const auto parts = provenance(trace, 1, 4);
  REQUIRE(trace.node(1).op == "softmax");
  std::vector<std::string> ops;
  for (const Contribution& part : parts) ops.push_back(trace.node(part.node).op);
  std::sort(ops.begin(), ops.end());
  CHECK(ops == std::vector<std::string>{"matmul", "multiply", "multiply"});
  CHECK(total(parts) ==
        doctest::Approx(trace.node(1).gradient.values().to_vector<double>()[4]).epsilon(1e-5));
}

TEST_CASE("there is no provenance without a gradient or of an element that is not there") {
  const Tensor x = floats({2}), y = floats({2}, 1).detach();
  Trace trace;
  {
    const auto recording = trace.record();
    sum(x * y).backward();
  }
  CHECK_THROWS_WITH_AS(provenance(trace, 1, 0), doctest::Contains("no gradient arrived"), Error);
  CHECK_THROWS_WITH_AS(provenance(trace, 0, 2), doctest::Contains("no element 2 in (2)"), Error);
  CHECK_THROWS_AS(provenance(trace, 0, -1), Error);
  CHECK_THROWS_AS(provenance(trace, 50, 0), Error);
}
