#include <doctest/doctest.h>

#include <cmath>

#include "core/core.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

namespace {
using Values = std::vector<double>;
const auto none = Reduction::none;
}  // namespace

TEST_CASE("losses of single elements are their formulas") {
  const Tensor x = tensor({0, 3, -2}), t = tensor({0, 1, -2.5});
  CHECK(values(mse_loss(x, t, none)) == Values{0, 4, 0.25});
  CHECK(values(l1_loss(x, t, none)) == Values{0, 2, 0.5});
  CHECK(values(huber_loss(x, t, 1, none)) == Values{0, 1.5, 0.125});
  CHECK(mse_loss(x, t).item() == doctest::Approx(4.25 / 3));
  CHECK(mse_loss(x, t, Reduction::sum).item() == 4.25);
}

TEST_CASE("binary cross entropy is exact for certain predictions, right and wrong ones") {
  const Tensor x = tensor({-1000, 1000, -1000, 1000, 50, -50}, DType::float64);
  const Tensor t = tensor({0, 1, 1, 0, 1, 0}, DType::float64);
  const Values losses = values(binary_cross_entropy_with_logits(x, t, {.reduction = none}));
  CHECK(losses[0] == 0);
  CHECK(losses[1] == 0);
  CHECK(losses[2] == 1000);
  CHECK(losses[3] == 1000);
  CHECK(losses[4] == doctest::Approx(std::exp(-50.0)).epsilon(1e-12));
  CHECK(losses[5] == doctest::Approx(std::exp(-50.0)).epsilon(1e-12));
}

TEST_CASE("the divergence of a distribution from itself is 0, and zeros do not count") {
  const Tensor t = tensor({0, 0.25, 0.75}), x = log(t);
  CHECK(sum(kl_div(x, t, {.reduction = none})).item() == 0);
  CHECK(values(kl_div(x, x, {.log_target = true, .reduction = none})) == Values{0, 0, 0});
  const Tensor p = tensor({0, 1}).require_grad();
  const Tensor loss = kl_div(tensor({-INFINITY, -1}), p, {.reduction = Reduction::sum});
  CHECK(loss.item() == 1);
  loss.backward();
  CHECK(values(p.grad()) == Values{0, 2});
}

TEST_CASE("losses at infinities and NaN") {
  const Tensor x = tensor({INFINITY, -INFINITY, NAN}).require_grad(), t = zeros({3});
  const Tensor loss = huber_loss(x, t, 2, none);
  CHECK(loss.to_vector<float>()[0] == INFINITY);
  CHECK(loss.to_vector<float>()[1] == INFINITY);
  CHECK(std::isnan(values(loss)[2]));
  sum(loss).backward();
  CHECK(x.grad().to_vector<float>()[0] == 2);
  CHECK(x.grad().to_vector<float>()[1] == -2);
}

TEST_CASE("where prediction and target are equal, l1_loss has the derivative 0") {
  const Tensor x = tensor({1, 2}).require_grad();
  l1_loss(x, tensor({1, 1}), Reduction::sum).backward();
  CHECK(values(x.grad()) == Values{0, 1});
}

TEST_CASE("losses of no elements: the sum is 0, the mean NaN") {
  const Tensor x = zeros({0, 2});
  CHECK(mse_loss(x, x, Reduction::sum).item() == 0);
  CHECK(std::isnan(mse_loss(x, x).item()));
  CHECK(kl_div(x, x, {.reduction = none}).shape() == Shape{0, 2});
}

TEST_CASE("losses refuse targets of another shape, which would broadcast") {
  const Tensor x = zeros({3, 1}), t = zeros({3});
  CHECK(error_of([&] { mse_loss(x, t); }) == "mse_loss: expected targets of shape (3, 1), got (3)");
  CHECK(error_of([&] { l1_loss(x, t); }) == "l1_loss: expected targets of shape (3, 1), got (3)");
  CHECK(error_of([&] { huber_loss(x, t); }) ==
        "huber_loss: expected targets of shape (3, 1), got (3)");
  CHECK(error_of([&] { huber_loss(t, t, 0); }) == "huber_loss: expected delta > 0, got 0");
  CHECK(error_of([&] { kl_div(x, t); }) == "kl_div: expected targets of shape (3, 1), got (3)");
  CHECK(error_of([&] { binary_cross_entropy_with_logits(x, t); }) ==
        "binary_cross_entropy_with_logits: expected targets of shape (3, 1), got (3)");
  CHECK(
      error_of([&] {
        binary_cross_entropy_with_logits(t, t, {.pos_weight = zeros({2, 1})});
      }) ==
      "binary_cross_entropy_with_logits: expected a pos_weight that broadcasts to (3), got (2, 1)");
}
