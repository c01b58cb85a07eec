#include <doctest/doctest.h>

#include <cmath>

#include "core/core.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

namespace {
using Values = std::vector<double>;
}

TEST_CASE("cumsum runs along any axis, from either end, also of strided views") {
  const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}});
  CHECK(values(cumsum(x, 1)) == Values{1, 3, 6, 4, 9, 15});
  CHECK(values(cumsum(x, 0)) == Values{1, 2, 3, 5, 7, 9});
  CHECK(values(cumsum(x, -1, true)) == Values{6, 5, 3, 15, 11, 6});
  CHECK(values(cumsum(transpose(x), 0)) == Values{1, 4, 3, 9, 6, 15});
  CHECK(cumsum(zeros({2, 0}), 1).shape() == Shape{2, 0});
  CHECK(values(cumsum(tensor({{7}}), 0)) == Values{7});
}

TEST_CASE("cumsum of a million float32 numbers is as exact as float32 can be") {
  const Tensor sums = cumsum(full({1000000}, 0.1), 0);
  CHECK(sums[-1].item() == static_cast<float>(1e6 * static_cast<double>(0.1f)));
}

TEST_CASE("cumsum keeps NaN and infinities from their place on") {
  const auto y = values(cumsum(tensor({1, INFINITY, 2, -INFINITY, 3}), 0));
  CHECK(y[0] == 1);
  CHECK(y[2] == INFINITY);
  CHECK(std::isnan(y[3]));
  CHECK(std::isnan(y[4]));
}

TEST_CASE("cumsum of integers wraps around") {
  const Tensor x = tensor(std::vector<int64_t>{INT64_MAX, 1, 5}, {3});
  CHECK(cumsum(x, 0).to_vector<int64_t>() ==
        std::vector<int64_t>{INT64_MAX, INT64_MIN, INT64_MIN + 5});
}

TEST_CASE("cumprod and prod multiply any number of elements") {
  for (int64_t n : {0, 1, 2, 3, 4, 7, 8, 9}) {
    const Tensor x = arange(n) + 1;
    double product = 1;
    Values expected;
    for (int64_t i = 1; i <= n; ++i) expected.push_back(product *= static_cast<double>(i));
    CHECK(values(cumprod(x, 0)) == expected);
    CHECK(prod(x).item() == product);
  }
  const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}});
  CHECK(values(cumprod(transpose(x), 1)) == Values{1, 4, 2, 10, 3, 18});
  CHECK(values(prod(x, {0})) == Values{4, 10, 18});
  CHECK(values(prod(x, {1}, keepdims)) == Values{6, 120});
  CHECK(prod(zeros({3, 0}), {1}).to_vector<float>() == std::vector<float>{1, 1, 1});
  CHECK(std::isnan(prod(tensor({0, INFINITY})).item()));
}

TEST_CASE("the gradient of a product is exact where elements are zero") {
  const Tensor x = tensor({{2, 0, 3}, {0, 0, 5}}).require_grad();
  sum(prod(x, {1})).backward();
  CHECK(values(x.grad()) == Values{0, 6, 0, 0, 0, 0});
}
