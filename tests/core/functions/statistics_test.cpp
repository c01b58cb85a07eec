#include <doctest/doctest.h>

#include <cmath>

#include "core/core.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

namespace {
using Values = std::vector<double>;
constexpr double infinity = INFINITY;
}  // namespace

TEST_CASE("norms of order 1, 2, 3 and ∞ over any axes") {
  const Tensor x = tensor({{3, -4}, {0, 12}});
  CHECK(norm(x).item() == 13);
  CHECK(values(norm(x, 2, {1})) == Values{5, 12});
  CHECK(values(norm(x, 1, {0})) == Values{3, 16});
  CHECK(values(norm(x, infinity, {1}, keepdims)) == Values{4, 12});
  CHECK(norm(x, infinity, {1}, keepdims).shape() == Shape{2, 1});
  CHECK(norm(tensor({1, 2}), 3).item() == doctest::Approx(std::cbrt(9.0)));
}

TEST_CASE("norms neither overflow nor underflow") {
  CHECK(norm(tensor({3e38, -0.5e38})).item() == doctest::Approx(std::hypot(3e38, 0.5e38)));
  CHECK(norm(tensor({3e-30, 4e-30})).item() == doctest::Approx(5e-30));
  CHECK(norm(tensor({3e160, 4e160}, DType::float64)).item() == doctest::Approx(5e160));
  const Tensor x = tensor({3e-30, 4e-30}).require_grad();
  norm(x).backward();
  CHECK(x.grad().to_vector<double>()[1] == doctest::Approx(0.8));
}

TEST_CASE("norms of zeros, of nothing, of infinities and of NaN") {
  for (const double p : {0.5, 1.0, 2.0, 3.0, infinity}) {
    INFO(p);
    const Tensor zero = zeros({2}).require_grad();
    const Tensor y = norm(zero, p);
    CHECK(y.item() == 0);
    y.backward();
    CHECK(values(zero.grad()) == Values{0, 0});
    CHECK(norm(zeros({0}), p).item() == 0);
    CHECK(norm(tensor({1, -infinity}), p).item() == infinity);
    CHECK(std::isnan(norm(tensor({1, NAN}), p).item()));
  }
  CHECK(error_of([] { norm(ones({2}), 0); }) == "norm: expected p > 0, got 0");
  CHECK(error_of([] { norm(ones({2}), 2, {1}); }) == "norm: there is no axis 1 in shape (2)");
}

TEST_CASE("var divides by n − correction, which is never below 0") {
  const Tensor x = tensor({1, 3});
  CHECK(var(x).item() == 2);
  CHECK(var(x, {}, false, 0).item() == 1);
  CHECK(var(x, {}, false, 0.5).item() == doctest::Approx(2 / 1.5));
  CHECK(var(x, {}, false, 3).item() == infinity);
  CHECK(std::isnan(var(tensor({1})).item()));
  CHECK(std::isnan(var(zeros({0})).item()));
  CHECK(stddev(tensor({{1, 3}, {2, 2}}), {1}, keepdims, 0).to_vector<double>() == Values{1, 0});
}

TEST_CASE("the gradient of stddev is 0 where all elements are equal") {
  const Tensor x = full({4}, 0.1).require_grad();
  stddev(x).backward();
  CHECK(values(x.grad()) == Values{0, 0, 0, 0});
}
