#include "core/functions/value_and_grad.h"

#include <doctest/doctest.h>

#include "core/core.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

namespace {
using Values = std::vector<double>;
}

TEST_CASE("value_and_grad gives a function's value and the gradient of each argument") {
  const Tensor x = tensor({1, 2}), w = tensor({3, 4});
  auto f = [](const Tensor& x, const Tensor& w) { return sum(x * w * w); };
  const auto [value, gradients] = value_and_grad(f)(x, w);
  CHECK(value.item() == 41);
  CHECK(values(gradients[0]) == Values{9, 16});
  CHECK(values(gradients[1]) == Values{6, 16});
  CHECK_FALSE(x.requires_grad());
  CHECK_FALSE(value.requires_grad());
}

TEST_CASE("one tensor as two arguments gets the gradient of each") {
  const Tensor x = tensor({3});
  const auto result =
      value_and_grad([](const Tensor& a, const Tensor& b) { return sum(a * a * b); })(x, x);
  CHECK(values(result.gradients[0]) == Values{18});
  CHECK(values(result.gradients[1]) == Values{9});
}

TEST_CASE("value_and_grad leaves the grad() of parameters alone") {
  const Tensor w = tensor({2}).require_grad(), captured = tensor({5}).require_grad();
  const auto result = value_and_grad([&](const Tensor& w) { return sum(w * captured); })(w);
  CHECK(values(result.gradients[0]) == Values{5});
  CHECK_FALSE(w.grad().defined());
  CHECK_FALSE(captured.grad().defined());
}

TEST_CASE("an argument that the function does not use has the gradient zero") {
  const auto one = value_and_grad([](const Tensor& a, const Tensor&) { return sum(a); })(
      tensor({1}), tensor({1, 2}));
  CHECK(values(one.gradients[1]) == Values{0, 0});
  const auto none = value_and_grad([](const Tensor&) { return ones({}); })(tensor({1, 2}));
  CHECK(values(none.gradients[0]) == Values{0, 0});
}

TEST_CASE("value_and_grad inside value_and_grad gives second derivatives") {
  auto cube = [](const Tensor& x) { return sum(x * x * x); };
  auto slope = [&](const Tensor& x) {
    return sum(value_and_grad(cube, {.create_graph = true})(x).gradients[0]);
  };
  const auto result = value_and_grad(slope)(tensor({2, 3}));
  CHECK(result.value.item() == 12 + 27);
  CHECK(values(result.gradients[0]) == Values{12, 18});
}

TEST_CASE("value_and_grad refuses a function that does not return a scalar") {
  CHECK(error_of([] {
          value_and_grad([](const Tensor& x) { return x * 2; })(tensor({1, 2}));
        }) == "value_and_grad: expected a function that returns a scalar, got (2)");
}
