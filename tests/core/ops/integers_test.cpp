#include <doctest/doctest.h>

#include <cmath>

#include "core/core.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

using Integers = std::vector<int64_t>;

Tensor ints(Integers numbers) {
  const int64_t n = static_cast<int64_t>(numbers.size());
  return tensor(numbers, {n});
}
Integers integers(const Tensor& x) {
  CHECK(x.dtype() == DType::int64);
  return x.to_vector<int64_t>();
}

constexpr int64_t largest = INT64_MAX, lowest = INT64_MIN;

}  // namespace

TEST_CASE("int64 is computed exactly, beyond what a double holds") {
  const Tensor x = ints({largest - 1, 3, -7});
  CHECK(integers(x + ints({1, 1, 1})) == Integers{largest, 4, -6});
  CHECK(integers(x - 1) == Integers{largest - 2, 2, -8});
  CHECK(integers(2 * ints({(int64_t{1} << 53) + 1})) == Integers{(int64_t{1} << 54) + 2});
  CHECK(integers(x + (largest - 10)) == Integers{-13, largest - 7, largest - 17});
  CHECK(integers(-x) == Integers{1 - largest, -3, 7});
  CHECK(integers(abs(x)) == Integers{largest - 1, 3, 7});
  CHECK(integers(sign(x)) == Integers{1, 1, -1});
  CHECK(integers(relu(x)) == Integers{largest - 1, 3, 0});
  CHECK(integers(floor(x)) == Integers{largest - 1, 3, -7});
  CHECK(integers(maximum(x, 0)) == Integers{largest - 1, 3, 0});
  CHECK(integers(minimum(x, lowest)) == Integers{lowest, lowest, lowest});
}

TEST_CASE("int64 overflow wraps around") {
  CHECK(integers(ints({largest}) + 1) == Integers{lowest});
  CHECK(integers(ints({lowest}) - 1) == Integers{largest});
  CHECK(integers(ints({largest}) * 2) == Integers{-2});
  CHECK(integers(-ints({lowest})) == Integers{lowest});
  CHECK(integers(floor_divide(ints({lowest}), -1)) == Integers{lowest});
  CHECK(integers(remainder(ints({lowest}), -1)) == Integers{0});
  CHECK(integers(sum(ints({largest, 1})[{new_axis}], {1})) == Integers{lowest});
}

TEST_CASE("int64 broadcasts, and reads strided views") {
  const Tensor x = reshape(arange(6, DType::int64), {2, 3});
  CHECK(integers(x + ints({10, 20, 30})) == Integers{10, 21, 32, 13, 24, 35});
  CHECK(integers(transpose(x) * ints({1, -1})) == Integers{0, -3, 1, -4, 2, -5});
  CHECK((x + zeros({0, 1, 3}, DType::int64)).shape() == Shape{0, 2, 3});
  CHECK(integers(arange(5000, DType::int64) * 0 + 7) == Integers(5000, 7));
}

TEST_CASE("comparisons of int64 are exact and give 0 and 1 in int64") {
  const int64_t big = int64_t{1} << 53;
  CHECK(integers(greater(ints({big + 1, big}), big)) == Integers{1, 0});
  CHECK(integers(less_equal(ints({big + 1, big}), big)) == Integers{0, 1});
  CHECK(integers(equal(ints({big + 1, big}), big)) == Integers{0, 1});
  CHECK(integers(where(greater(ints({1, 3}), 2), ints({5, 6}), -1)) == Integers{-1, 6});
}

TEST_CASE("floor_divide and remainder follow the sign of the divisor, as in Python") {
  const Tensor a = ints({7, -7, 7, -7, 6, 0}), b = ints({2, 2, -2, -2, 3, 5});
  CHECK(integers(floor_divide(a, b)) == Integers{3, -4, -4, 3, 2, 0});
  CHECK(integers(remainder(a, b)) == Integers{1, 1, -1, -1, 0, 0});
  const Tensor x = tensor({7, -7, 7, -7, 1, -0.5}), y = tensor({2, 2, -2, -2, 0.1, 2});
  CHECK(values(floor_divide(x, y)) == std::vector<double>{3, -4, -4, 3, 9, -1});
  const std::vector<float> rest = remainder(x, y).to_vector<float>();
  CHECK(rest == std::vector<float>{1, 1, -1, -1, std::fmod(1.0f, 0.1f), 1.5});
  CHECK(error_of([] {
          floor_divide(ints({1, 2}), ints({1, 0}));
        }) == "floor_divide: expected divisors other than 0, got 0 in element 1 of (2)");
  CHECK(error_of([] {
          remainder(ints({1, 2}), 0);
        }) == "remainder: expected divisors other than 0, got 0 in element 0 of ()");
}

TEST_CASE("reductions of int64 are int64") {
  const Tensor x = reshape(ints({1, -5, largest, 2, 7, lowest}), {2, 3});
  CHECK(integers(sum(x, {1})) == Integers{largest - 4, lowest + 9});
  CHECK(integers(max(x, {0})) == Integers{2, 7, largest});
  CHECK(integers(min(x, {0})) == Integers{1, -5, lowest});
  CHECK(integers(min(x)) == Integers{lowest});
  CHECK(integers(max(x, {0, 1}, keepdims)) == Integers{largest});
  CHECK(integers(prod(ints({3, -4, 5}))) == Integers{-60});
  CHECK(integers(cumprod(ints({3, -4, 5}), 0)) == Integers{3, -12, -60});
  CHECK(integers(sum(zeros({0}, DType::int64))) == Integers{0});
  CHECK(error_of([] {
          max(zeros({2, 0}, DType::int64), {1});
        }) == "max: expected at least one int64 element, got (2, 0)");
}

TEST_CASE("plain numbers take the dtype of the tensor, and 0.5 makes int64 float32") {
  CHECK((tensor({1, 2}) + 1).dtype() == DType::float32);
  CHECK((tensor({1, 2}, DType::float64) * 0.1f).dtype() == DType::float64);
  CHECK((ints({1, 2}) + 1).dtype() == DType::int64);
  const Tensor half = ints({1, 2}) * 0.5;
  CHECK(half.dtype() == DType::float32);
  CHECK(values(half) == std::vector<double>{0.5, 1});
  CHECK((ints({1}) + 2.0).dtype() == DType::float32);
}

TEST_CASE("int64 beside floats becomes their dtype, and the gradient goes to the floats") {
  const Tensor x = tensor({0.5, 2}).require_grad();
  const Tensor y = x * ints({3, 4});
  CHECK(y.dtype() == DType::float32);
  CHECK(values(y) == std::vector<double>{1.5, 8});
  sum(y).backward();
  CHECK(values(x.grad()) == std::vector<double>{3, 4});
  CHECK((ints({1}) + ones({1}, DType::float64)).dtype() == DType::float64);
  CHECK(values(where(ints({0, 1}), tensor({1, 2}), ints({3, 4}))) == std::vector<double>{3, 2});
  CHECK(error_of([] { ones({1}) + ones({1}, DType::float64); }) ==
        "add: expected one float dtype, got float32 (1) and float64 (1); cast() one");
  CHECK(error_of([] { where(ints({1}), ones({1}), ones({1}, DType::float64)); }) ==
        "where: expected one float dtype, got float32 (1) and float64 (1); cast() one");
}

TEST_CASE("a / b of int64 is float32") {
  const Tensor y = ints({1, 7}) / ints({2, -2});
  CHECK(y.dtype() == DType::float32);
  CHECK(values(y) == std::vector<double>{0.5, -3.5});
  CHECK(values(1 / ints({0, 4})) == std::vector<double>{INFINITY, 0.25});
}

TEST_CASE("formulas take int64 where each of their functions gives integers") {
  const Pointwise clipped{"clipped", [](Expr x) { return minimum(maximum(x * 2, 0), 5); }};
  CHECK(integers(clipped(ints({-1, 1, 9}))) == Integers{0, 2, 5});
  CHECK(error_of([] { silu(ints({1})); }) ==
        "silu: expected float32 or float64, got int64 (1); cast() it first");
  CHECK(error_of([] { exp(ints({1})); }) ==
        "exp: expected float32 or float64, got int64 (1); cast() it first");
  const Pointwise halved{"halved", [](Expr x) { return x * 0.5; }};
  CHECK(error_of([&] { halved(ints({1})); }) ==
        "halved: expected float32 or float64, got int64 (1); cast() it first");
}
