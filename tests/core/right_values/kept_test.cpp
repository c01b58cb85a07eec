/// A quantity is kept, not rebuilt by subtraction from others that were rounded.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/autograd/fused.h"
#include "core/core.h"
#include "layers/attention/tiled_attention.h"
#include "layers/layer_norm.h"
#include "optim/moving_average.h"
#include "optim/optimizer.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

using Values = std::vector<double>;

/// dL/dlogits of one row.
Values slope(const Values& logits, int64_t target, double smoothing, DType dtype) {
  const Tensor x =
      cast(tensor(logits, {1, static_cast<int64_t>(logits.size())}), dtype).require_grad();
  const Tensor loss = cross_entropy(x, full({1}, static_cast<double>(target), DType::int64),
                                    {.label_smoothing = smoothing});
  return grad({loss}, {x})[0].to_vector<double>();
}

void are(const Values& given, const Values& expected, double tolerance) {
  REQUIRE(given.size() == expected.size());
  for (size_t i = 0; i < given.size(); ++i)
    CHECK(given[i] == doctest::Approx(expected[i]).epsilon(tolerance).scale(1));
}

}  // namespace

TEST_CASE("cross_entropy's gradient is right for large logits, fused and composed") {
  for (const bool composed : {false, true}) {
    const NoFusion pause(composed);
    are(slope({1e4, 1e4}, 0, 0, DType::float32), {-0.5, 0.5}, 1e-6);
    const double p = 1 / (1 + std::exp(1) + std::exp(2));
    are(slope({1e6, 1e6 + 1, 1e6 + 2}, 0, 0, DType::float32),
        {p - 1, std::exp(1) * p, std::exp(2) * p}, 1e-6);
    // 3 classes, ε = 0.1: the targets are 0.9 + 0.1 / 3, 0.1 / 3 and 0.1 / 3.
    const double q = 1 / (1 + std::exp(1));
    are(slope({2, 1, -1e9}, 0, 0.1, DType::float32),
        {std::exp(1) * q - 0.9 - 0.1 / 3, q - 0.1 / 3, -0.1 / 3}, 1e-6);
  }
}

TEST_CASE("label smoothing does not overflow where the loss does not") {
  const double largest = std::numeric_limits<float>::max();
  auto loss = [](const Values& logits, DType dtype) {
    return cross_entropy(cast(tensor(logits, {1, 3}), dtype), ones({1}, DType::int64),
                         {.label_smoothing = 0.1})
        .item();
  };
  for (const bool composed : {false, true}) {
    const NoFusion pause(composed);
    // log p is about (−max, −log 2, −log 2) and (0, −max, −max).
    CHECK(loss({0, largest, largest}, DType::float32) == doctest::Approx(0.1 / 3 * largest));
    CHECK(loss({largest, 0, 0}, DType::float32) ==
          doctest::Approx((0.9 + 0.2 / 3) * largest).epsilon(1e-5));
    CHECK(loss({0, 1e308, 1e308}, DType::float64) == doctest::Approx(0.1 / 3 * 1e308));
  }
}

TEST_CASE("the weights 1 − beta of Adam, AdamW and RMSprop are right in float32") {
  auto first_step = [](auto make) {
    const Tensor p = zeros({1}).require_grad();
    auto optimizer = make({p});
    p.set_grad(ones({1}));
    optimizer.step();
    return -p.item();
  };
  using Tensors = const std::vector<Tensor>&;
  for (const double beta : {0.9, 0.99, 0.999, 0.9999, 0.99999}) {
    INFO(beta);
    CHECK(first_step([&](Tensors p) { return Adam(p, {.learning_rate = 1, .beta2 = beta}); }) ==
          doctest::Approx(1).epsilon(2e-7));
    CHECK(first_step([&](Tensors p) {
            return AdamW(p, {.learning_rate = 1, .beta1 = beta, .weight_decay = 0});
          }) == doctest::Approx(1).epsilon(2e-7));
    CHECK(first_step([&](Tensors p) {
            return RMSprop(p, {.learning_rate = std::sqrt(1 - beta), .alpha = beta, .epsilon = 0});
          }) == doctest::Approx(1).epsilon(2e-7));
  }
}

TEST_CASE("300 steps of Adam in float32 stay near those in float64") {
  auto path = [](DType dtype) {
    const Tensor p = zeros({1}, dtype).require_grad();
    Adam adam({p}, {.learning_rate = 0.01, .beta2 = 0.9999});
    for (int step = 0; step < 300; ++step) {
      p.set_grad(full({1}, 1 + 0.5 * std::sin(step), dtype));
      adam.step();
    }
    return p.item();
  };
  CHECK(path(DType::float32) == doctest::Approx(path(DType::float64)).epsilon(5e-6));
}

TEST_CASE("an exponential moving average of equal values is that value") {
  const Tensor p = full({1}, 0.1).require_grad();
  ExponentialMovingAverage average({p}, {.decay = 0.9999});
  for (int i = 0; i < 1000; ++i) average.update();
  CHECK(average.averages().at("0").item() == p.item());
}

TEST_CASE("what does not vary has deviations of 0, whatever the mean rounds to") {
  const Tensor equal_rows = full({3, 512}, 10000.1);
  for (const bool composed : {false, true}) {
    const NoFusion pause(composed);
    CHECK(values(layer_norm(equal_rows)) == Values(3 * 512, 0));
    CHECK(values(LayerNorm(512)(equal_rows)) == Values(3 * 512, 0));
  }
  CHECK(values(var(equal_rows, {1})) == Values(3, 0));
  CHECK(values(var(transpose(equal_rows), {0})) == Values(3, 0));
  CHECK(values(stddev(equal_rows, {1})) == Values(3, 0));
  for (const double x : {0.1, 1e-3, 12345.678, 3e7}) CHECK(var(full({1000}, x)).item() == 0);
}

TEST_CASE("layer_norm and var of small deviations around a large mean") {
  std::vector<float> row(512);
  double mean_of_deviations = 0;
  for (size_t i = 0; i < row.size(); ++i) row[i] = 10000 + static_cast<float>(i % 7) / 1024;
  for (const float x : row) mean_of_deviations += (x - 10000.) / 512;
  double variance = 0;
  for (const float x : row) variance += std::pow(x - 10000. - mean_of_deviations, 2) / 512;
  const Tensor x = tensor(row, {1, 512});
  CHECK(var(x, {}, false, 0).item() == doctest::Approx(variance).epsilon(1e-5));
  for (const bool composed : {false, true}) {
    const NoFusion pause(composed);
    const Tensor y = layer_norm(x, {}, {}, 1e-12);
    for (const int64_t i : {0, 3, 6})
      CHECK(y[0][i].item() == doctest::Approx((static_cast<double>(row[static_cast<size_t>(i)]) -
                                               10000 - mean_of_deviations) /
                                              std::sqrt(variance))
                                  .epsilon(1e-4));
  }
}

TEST_CASE(
    "expm1, log1p and softplus keep what 1 + x would round away, and so do their derivatives") {
  auto slope_of = [](auto f, double at) {
    const Tensor x = full({}, at).require_grad();
    return grad({f(x)}, {x})[0].item();
  };
  auto is = [](double value, double expected) {
    CHECK(value == doctest::Approx(expected).epsilon(1e-6));
  };
  is(expm1(full({}, 1e-20)).item(), 1e-20);
  is(log1p(full({}, 1e-20)).item(), 1e-20);
  is(softplus(full({}, -40)).item(), std::exp(-40));
  is(slope_of([](const Tensor& x) { return expm1(x); }, -30), std::exp(-30));
  is(slope_of([](const Tensor& x) { return softplus(x); }, -40), std::exp(-40));
  is(slope_of([](const Tensor& x) { return asin(x); }, 0.9999999),
     1 / std::sqrt(2 * (1 - 0.9999999F)));
}

TEST_CASE("the gradients of logsumexp and of tiled attention are right for large scores") {
  const Tensor x = tensor({1e4, 1e4}).require_grad();
  CHECK(values(grad({logsumexp(x)}, {x})[0]) == Values{0.5, 0.5});
  // Scores 20,000 and 20,000 with values 0 and 1: dL/dv is the weights, ½ each.
  const Tensor q = full({1, 4}, 100), k = full({2, 4}, 100), v = tensor({{0}, {1}}).require_grad();
  CHECK(values(grad({sum(TiledAttention{}(q, k, v, {}, nullptr).output)}, {v})[0]) ==
        Values{0.5, 0.5});
}
