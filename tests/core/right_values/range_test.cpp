/// Kind: the ends of the number line. What has a representable result is computed where the squares
/// on the way to it are not representable.

#include <doctest/doctest.h>

#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "core/autograd/fused.h"
#include "core/core.h"
#include "core/functions/statistics.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

using Values = std::vector<double>;

void all_near(const Tensor& x, const Values& expected, double tolerance) {
  REQUIRE(values(x).size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    CHECK(values(x)[i] == doctest::Approx(expected[i]).epsilon(tolerance));
}

/// f(s · x) and its gradient in s · x, for a function f(s · x) = s^power · f(x).
template <class F>
void check_scaled(const F& f, DType dtype, double s, int power, double tolerance) {
  CAPTURE(name_of(dtype));
  CAPTURE(s);
  const Tensor x =
      reshape(tensor({1, -2, 3, 0.5, 0.25, 4}, DType::float64), {2, 3}).detach().require_grad();
  const Tensor scaled = cast(x.detach() * s, dtype).require_grad();
  const Tensor y = f(x), z = f(scaled);
  const Tensor w = full(y.shape(), 0.75, DType::float64);
  const Tensor dy = grad({y}, {x}, {}, {w})[0], dz = grad({z}, {scaled}, {}, {cast(w, dtype)})[0];
  const double to_power = std::pow(s, power);
  for (int64_t i = 0; i < y.numel(); ++i)
    CHECK(values(z)[static_cast<size_t>(i)] / to_power ==
          doctest::Approx(values(y)[static_cast<size_t>(i)]).epsilon(tolerance));
  for (int64_t i = 0; i < x.numel(); ++i)
    CHECK(values(dz)[static_cast<size_t>(i)] * (s / to_power) ==
          doctest::Approx(values(dy)[static_cast<size_t>(i)]).epsilon(tolerance));
}

/// With the bounds of their errors.
const std::pair<double, double> float32_scales[] = {{1, 1e-6},     {1e13, 1e-6},  {1e20, 1e-6},
                                                    {4e37, 1e-6},  {1e-13, 1e-6}, {1e-17, 1e-6},
                                                    {1e-30, 1e-6}, {1e-37, 1e-6}};
const std::pair<double, double> float64_scales[] = {
    {1, 1e-14}, {1e160, 1e-14}, {1e307, 1e-14}, {1e-160, 1e-14}, {1e-300, 1e-14}};

template <class F>
void check_scales(const F& f, int power) {
  for (const auto& [s, tolerance] : float32_scales)
    check_scaled(f, DType::float32, s, power, tolerance);
  for (const auto& [s, tolerance] : float64_scales)
    check_scaled(f, DType::float64, s, power, tolerance);
}

}  // namespace

TEST_CASE("stddev and norms scale with their inputs, and their gradients do not") {
  check_scales([](const Tensor& x) { return stddev(x, {1}); }, 1);
  check_scales([](const Tensor& x) { return stddev(x, {0}, keepdims, 0); }, 1);
  check_scales([](const Tensor& x) { return stddev(x); }, 1);
  for (const double p : {1.0, 2.0, 3.0, static_cast<double>(INFINITY)}) {
    CAPTURE(p);
    check_scales([p](const Tensor& x) { return norm(x, p, {1}); }, 1);
    check_scales([p](const Tensor& x) { return norm(x, p, {0}, keepdims); }, 1);
  }
}

TEST_CASE("the gradients of stddev and norm keep their digits among subnormal numbers") {
  const float unit = 0x1p-149F;  // 3 and 4 of them are exact
  {
    const Tensor x = tensor({3.0 * unit, 4.0 * unit}).require_grad();
    const Tensor y = norm(x);
    CHECK(y.item() == 5.0 * unit);
    y.backward();
    all_near(x.grad(), {0.6, 0.8}, 1e-6);
  }
  const Tensor x = tensor({1.0 * unit, 3.0 * unit}).require_grad();
  const Tensor y = stddev(x, {}, false, 0);
  CHECK(y.item() == unit);
  y.backward();
  all_near(x.grad(), {-0.5, 0.5}, 1e-6);
}

TEST_CASE("a row out of range does not change the bits of others") {
  const Tensor ordinary = tensor({{1, 2.5, 4}}), both = tensor({{1, 2.5, 4}, {1e30, -1e30, 0}});
  CHECK(values(stddev(both, {1}))[0] == values(stddev(ordinary, {1}))[0]);
  CHECK(values(norm(both, 2, {1}))[0] == values(norm(ordinary, 2, {1}))[0]);
  CHECK(values(slice(layer_norm(both), 0, 0, 1)) == values(layer_norm(ordinary)));
}

TEST_CASE("a variance is right where the sum of squares is not representable") {
  const double a = 1.5e19;
  const Tensor x = reshape(contiguous(expand(tensor({{a, -a}}), {500, 2})), {1000}).require_grad();
  const Tensor v = var(x, {}, false, 0);
  CHECK(v.item() == doctest::Approx(a * a).epsilon(1e-6));
  v.backward();
  CHECK(values(x.grad())[1] == doctest::Approx(-2 * a / 1000).epsilon(1e-6));
  CHECK(var(tensor({1e25, -1e25})).item() == INFINITY);
  CHECK(var(tensor({1e-30, -1e-30})).item() == 0);
}

TEST_CASE("layer_norm does not depend on the scale of its input") {
  for (const bool fused : {true, false}) {
    CAPTURE(fused);
    const NoFusion plain(!fused);
    check_scales(
        [](const Tensor& x) {
          return layer_norm(x, cast(tensor({1.5, -2, 0.5}), x.dtype()), {}, 0);
        },
        0);
    // With epsilon, and gradients of the weight.
    const Tensor x = tensor({{1e20, 3e20, -4e20}}), w = ones({3}).require_grad();
    const Tensor y = layer_norm(x, w);
    const double deviation = std::sqrt(26.0 / 3);
    all_near(y, {1 / deviation, 3 / deviation, -4 / deviation}, 1e-6);
    sum(y).backward();
    all_near(w.grad(), {1 / deviation, 3 / deviation, -4 / deviation}, 1e-6);
  }
}
