#include "core/ops/pointwise.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/core.h"
#include "core/kernels/simd.h"
#include "core/tensor/random.h"
#include "core/tensor/threads.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

const Pointwise softsign{"softsign", [](Expr x) { return x / (1 + abs(x)); }};
const Pointwise gate{"gate", [](Expr a, Expr b, Expr c) { return sigmoid(a) * b + tanh(c); }};

Tensor drawn(const Shape& shape, uint64_t seed = 1) {
  Generator generator(seed);
  return random_normal(shape, 0, 1, generator);
}

}  // namespace

TEST_CASE("a formula and its derivative print as people write them") {
  CHECK(silu.name() == "silu");
  CHECK(silu.formula() == "x · sigmoid(x)");
  CHECK(softsign.formula() == "x / (1 + |x|)");
  CHECK(gate.formula() == "sigmoid(a) · b + tanh(c)");
  CHECK(gate.derivative(1) == "g · sigmoid(a)");
  CHECK(gate.derivative(2) == "g · (1 − tanh(c) · tanh(c))");
  const Pointwise tanh_alone{"tanh", [](Expr x) { return tanh(x); }};
  CHECK(tanh_alone.derivative(0) == "g · (1 − y · y)");
  const auto text = [](auto f) { return Pointwise("f", f).formula(); };
  CHECK(text([](Expr a, Expr b, Expr c) { return a - (b - c); }) == "a − (b − c)");
  CHECK(text([](Expr a, Expr b, Expr c) { return a - b - c; }) == "a − b − c");
  CHECK(text([](Expr a, Expr b, Expr c) { return a / (b * c); }) == "a / (b · c)");
  CHECK(text([](Expr a, Expr b) { return -(a + b); }) == "−(a + b)");
  CHECK(text([](Expr a, Expr b) { return pow(sqrt(a), b); }) == "√(a)^b");
  CHECK(text([](Expr a, Expr b) { return pow(a + b, 2); }) == "(a + b)^2");
  CHECK(text([](Expr a, Expr b) { return pow(pow(a, b), -a); }) == "(a^b)^(−a)");
  CHECK(text([](Expr a, Expr b) { return pow(a, b + 1); }) == "a^(b + 1)");
  CHECK(text([](Expr a) { return where(greater(a, 0), a, exp(a) - 1); }) ==
        "where([x > 0], x, exp(x) − 1)");
}

TEST_CASE("a formula drops what does nothing and writes equal steps once") {
  const auto text = [](auto f) { return Pointwise("f", f).formula(); };
  CHECK(text([](Expr x) { return x + 0 - 0; }) == "x");
  CHECK(text([](Expr x) { return 1 * x / 1; }) == "x");
  CHECK(text([](Expr x) { return x + 0 * exp(x); }) == "x");
  CHECK(text([](Expr x) { return (2 + 0 * x) * 3 * x; }) == "6 · x");
  Formula formula;
  const Expr x = formula.input(0);
  CHECK(exp(x).step == exp(x).step);
}

TEST_CASE("a formula has the value and the gradient of its composition") {
  const std::vector<Tensor> fused{drawn({7, 5, 3}, 1), drawn({5, 1}, 2), drawn({3}, 3)};
  std::vector<Tensor> composed;
  for (const Tensor& x : fused) composed.push_back(x.detach().require_grad());
  for (const Tensor& x : fused) x.require_grad();
  const Tensor y = gate(fused[0], fused[1], fused[2]);
  const Tensor z = sigmoid(composed[0]) * composed[1] + tanh(composed[2]);
  CHECK(values(y) == values(z));
  sum(y * y).backward();
  sum(z * z).backward();
  for (size_t i = 0; i < fused.size(); ++i)
    for (size_t k = 0; k < values(fused[i]).size(); ++k)
      CHECK(values(fused[i].grad())[k] ==
            doctest::Approx(values(composed[i].grad())[k]).epsilon(1e-5));
}

TEST_CASE("formulas are built of formulas") {
  const Pointwise twice{"twice", [](Expr x) { return softsign(softsign(x)); }};
  const Tensor x = drawn({10});
  CHECK(values(twice(x)) == values(softsign(softsign(x))));
  CHECK(twice.formula() == "x / (1 + |x|) / (1 + |x / (1 + |x|)|)");
}

TEST_CASE("an element's value does not depend on where it stands nor on what follows it") {
  const Tensor x = drawn({3000});
  for (const Tensor& y : {gelu(x), exp(x), tanh(x), pow(abs(x), 1.7)}) CHECK(y.numel() == 3000);
  const std::vector<double> whole = values(gelu(x));
  for (const auto& [begin, end] : {std::pair{0, 1}, {1, 18}, {511, 513}, {1000, 2999}}) {
    const std::vector<double> part = values(gelu(slice(x, 0, begin, end)));
    CHECK(std::equal(part.begin(), part.end(), whole.begin() + begin));
  }
  CHECK(values(gelu(transpose(reshape(x, {50, 60})))) ==
        values(transpose(reshape(gelu(x), {50, 60}))));
}

TEST_CASE("one thread and two give the same bits") {
  const Tensor x = drawn({300, 400}).require_grad(), w = drawn({400});
  const auto results = [&] {
    const Tensor y = gate(x, w, x * w);
    std::vector<std::vector<double>> all{values(y)};
    for (const Tensor& r : {sum(y), sum(y, {0}), sum(y, {1}), max(y, {0}), max(y), logsumexp(y),
                            mean(y, {1}), var(y)})
      all.push_back(values(r));
    all.push_back(values(grad({sum(y * y)}, {x})[0]));
    return all;
  };
  const int before = threads();
  set_threads(1);
  const auto one = results();
  set_threads(2);
  const auto two = results();
  set_threads(before);
  CHECK(one == two);
}

TEST_CASE("a maximum is NaN wherever the NaN stands") {
  for (int64_t n : {1, 5, 16, 17, 64, 65, 200})
    for (int64_t at = 0; at < n; ++at) {
      Tensor x = zeros({n});
      x.mutable_span<float>()[static_cast<size_t>(at)] = NAN;
      CHECK(std::isnan(max(x).item()));
      CHECK(std::isnan(max(reshape(x, {n, 1}) + zeros({2}), {0}).data<float>()[1]));
    }
}

TEST_CASE("exp, sigmoid and tanh of infinities and NaN are what they are in the limit") {
  CHECK(exp(tensor({-100, 90, -INFINITY, INFINITY, 0})).to_vector<double>() ==
        std::vector<double>{0, INFINITY, 0, INFINITY, 1});
  CHECK(std::isnan(exp(tensor({NAN})).item()));
  CHECK(std::isnan(sigmoid(tensor({NAN})).item()));
  CHECK(std::isnan(tanh(tensor({NAN})).item()));
  CHECK(tanh(tensor({-INFINITY, -9, 9, 1e30, INFINITY})).to_vector<double>() ==
        std::vector<double>{-1, -1, 1, 1, 1});
}

TEST_CASE("a formula is refused what it cannot take") {
  CHECK(error_of([] { softsign(arange(2, DType::int64)); }) ==
        "softsign: expected float32 or float64, got int64 (2); cast() it first");
  CHECK(error_of([] {
          tensor({1, 2}) * tensor({1, 2}, DType::float64);
        }) == "multiply: expected one float dtype, got float32 (2) and float64 (2); cast() one");
  CHECK(error_of([] {
          gate(zeros({2, 3}), zeros({3}), zeros({2}));
        }) == "gate: shapes (2, 3) and (2) do not broadcast: sizes 3 and 2 differ");
  CHECK(error_of([] {
          const std::vector<Tensor> two{zeros({1}), zeros({1})};
          gate.run(two);
        }) == "gate: expected 3 tensors, got 2");
  CHECK(error_of([] { gate.derivative(3); }) == "gate: expected an input in [0, 3), got 3");
}

TEST_CASE("a formula may be long") {
  for (int factors : {15, 40, 100}) {
    const Pointwise product{"product", [=](Expr x) {
                              Expr y = sin(x);
                              for (int i = 1; i < factors; ++i) y = y * (cos(x + i) + 1.5);
                              return y;
                            }};
    double value = std::sin(0.5), slope_over_value = std::cos(0.5) / value;
    for (int i = 1; i < factors; ++i) {
      value *= std::cos(0.5 + i) + 1.5;
      slope_over_value -= std::sin(0.5 + i) / (std::cos(0.5 + i) + 1.5);
    }
    const Tensor x = tensor({0.5}, DType::float64).require_grad();
    const Tensor y = product(x);
    CHECK(y.item() == doctest::Approx(value).epsilon(1e-12));
    CHECK(grad({y}, {x})[0].item() == doctest::Approx(value * slope_over_value).epsilon(1e-12));
  }
}

TEST_CASE("NaN is not 0 for where, and stays NaN in clamp, sign and rounding") {
  CHECK(where(tensor({NAN, 0, 1}), 1, 2).to_vector<double>() == std::vector<double>{1, 2, 1});
  const Tensor x = tensor({NAN});
  for (const Tensor& y : {clamp(x, -1, 1), sign(x), floor(x), round(x), minimum(x, 0), relu(x)})
    CHECK(std::isnan(y.item()));
}

TEST_CASE("clamp takes numbers and tensors, and its upper bound wins") {
  const Tensor x = tensor({-2, 0, 2});
  CHECK(clamp(x, -INFINITY, 1).to_vector<double>() == std::vector<double>{-2, 0, 1});
  CHECK(clamp(x, 1, tensor({0, 3, 1.5})).to_vector<double>() == std::vector<double>{0, 1, 1.5});
  const Tensor n = clamp(arange(4, DType::int64), 1, 2);
  CHECK(n.dtype() == DType::int64);
  CHECK(n.to_vector<int64_t>() == std::vector<int64_t>{1, 1, 2, 2});
}
