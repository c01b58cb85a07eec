#include "core/normalise.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "core/ops.h"
#include "core/random.h"

namespace gradus {

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();
}

Tensor softmax(const Tensor& x, int axis, const Mask& mask) {
  check_float("softmax", x);
  axis = checked_axis("softmax", axis, x.shape());
  if (mask.defined() && broadcast("softmax", mask.shape(), x.shape()) != x.shape())
    throw Error(fmt::format("softmax: a mask of {} does not broadcast to {}", mask.shape().text(),
                            x.description()));
  const Tensor masked = fill_ignored(x, mask, -infinity);
  Tensor result;
  {
    const NoGrad pause;
    const Tensor largest = max(masked, {axis}, keep_axes);
    const Tensor e = exp(masked - select(equal(largest, -infinity), 0, largest));
    const Tensor total = sum(e, {axis}, keep_axes);
    result = e / select(equal(total, 0), 1, total);
  }
  return record(
      {"softmax", "eˣ / Σ eˣ", "dL/dx = y · (g − Σ g · y)"}, result, {masked},
      [axis](const Backward& b) {
        const Tensor weighted = b.gradient * b.output;
        return std::vector<Gradient>{weighted - b.output * sum(weighted, {axis}, keep_axes)};
      },
      [axis](const auto& x) { return softmax(x[0], axis); });
}

Tensor log_softmax(const Tensor& x, int axis) {
  check_float("log_softmax", x);
  axis = checked_axis("log_softmax", axis, x.shape());
  Tensor result;
  {
    const NoGrad pause;
    const Tensor largest = max(x, {axis}, keep_axes);
    const Tensor shifted = x - select(equal(largest, -infinity), 0, largest);
    const Tensor total = sum(exp(shifted), {axis}, keep_axes);
    result = shifted - log(select(equal(total, 0), 1, total));
  }
  return record(
      {"log_softmax", "x − log Σ eˣ", "dL/dx = g − eʸ · Σ g"}, result, {x},
      [axis](const Backward& b) {
        return std::vector<Gradient>{b.gradient -
                                     exp(b.output) * sum(b.gradient, {axis}, keep_axes)};
      },
      [axis](const auto& x) { return log_softmax(x[0], axis); });
}

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon) {
  check_float("layer_norm", x);
  if (x.rank() < 1)
    throw Error(fmt::format("layer_norm: wants at least one axis, was given {}", x.description()));
  for (const Tensor* parameter : {&weight, &bias})
    if (parameter->defined() && parameter->shape() != Shape{x.shape().back()})
      throw Error(fmt::format("layer_norm: {} wants weight and bias of ({}), was given {}",
                              x.description(), x.shape().back(), parameter->description()));
  const Tensor deviation = x - mean(x, {-1}, keep_axes);
  Tensor y = deviation / sqrt(mean(deviation * deviation, {-1}, keep_axes) + epsilon);
  if (weight.defined()) y = y * weight;
  return bias.defined() ? y + bias : y;
}

Tensor cross_entropy(const Tensor& logits, const Tensor& targets,
                     const CrossEntropyOptions& options) {
  check_float("cross_entropy", logits);
  const double smoothing = options.label_smoothing;
  if (logits.rank() < 1 || logits.shape().without(logits.rank() - 1) != targets.shape())
    throw Error(fmt::format("cross_entropy: logits {} want one target a row, were given {}",
                            logits.description(), targets.description()));
  if (smoothing < 0 || smoothing > 1)
    throw Error(fmt::format("cross_entropy: label smoothing {} is outside [0, 1]", smoothing));
  if (targets.dtype() != DType::int64)
    throw Error(fmt::format("cross_entropy: wants int64 targets, was given {} {}",
                            name_of(targets.dtype()), targets.description()));
  std::vector<int64_t> ids = targets.to_vector<int64_t>();
  std::vector<float> counts(ids.size(), 1);
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] == options.ignored_class)
      ids[i] = 0, counts[i] = 0;
    else if (ids[i] < 0 || ids[i] >= logits.shape().back())
      throw Error(
          fmt::format("cross_entropy: target {} is outside [0, {}) and not the ignored class {}",
                      ids[i], logits.shape().back(), options.ignored_class));
  }
  const Tensor counted = cast(tensor(counts, targets.shape()), logits.dtype());
  const Tensor log_p = log_softmax(logits);
  Tensor losses = -pick(log_p, tensor(ids, targets.shape()));
  if (smoothing > 0) losses = losses * (1 - smoothing) - mean(log_p, {-1}) * smoothing;
  losses = select(counted, losses, 0);
  if (options.reduction == Reduction::none) return losses;
  if (options.reduction == Reduction::sum) return sum(losses);
  return sum(losses) / std::max(1.0, sum(counted).item());
}

Tensor dropout(const Tensor& x, double rate, Generator* generator) {
  check_float("dropout", x);
  if (rate < 0 || rate >= 1)
    throw Error(fmt::format("dropout: wants a rate in [0, 1), was given {}", rate));
  if (!generator || rate == 0) return x;
  const Tensor keep = greater_equal(random_uniform(x.shape(), 0, 1, *generator, x.dtype()), rate);
  return x * (keep * (1 / (1 - rate)));
}

}  // namespace gradus
