#include "core/functions/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/functions/near_one.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"

namespace gradus {

namespace {

/// x minus its mean. The mean was rounded: what it left, whose exact value is 0, is taken out, too,
/// and has no derivative.
Tensor centred(const Tensor& x, const Axes& axes) {
  const Tensor deviation = x - mean(x, axes, true);
  return deviation - mean(deviation.detach(), axes, true);
}

/// The number of elements that a variance divides by.
double divisor(const Tensor& x, const Axes& axes, double correction) {
  double elements = 1;
  for (const int axis : checked_axes("var", axes, x.shape()))
    elements *= static_cast<double>(x.shape()[axis]);
  return std::max(0.0, elements - correction);
}

/// √v, whose derivative at 0 is 0.
Tensor root(const Tensor& v) {
  const Tensor is_zero = equal(v, 0).detach();
  return where(is_zero, 0, sqrt(where(is_zero, 1, v)));
}

}  // namespace

Tensor var(const Tensor& x, const Axes& axes, bool keepdims, double correction) {
  check_float("var", x);
  const double n = divisor(x, axes, correction);
  const Tensor deviation = centred(x, axes), v = sum(deviation * deviation, axes, keepdims) / n;
  return n == 0 || squares_fit(v) ? v : sum(deviation * (deviation / n), axes, keepdims);
}

Tensor stddev(const Tensor& x, const Axes& axes, bool keepdims, double correction) {
  check_float("stddev", x);
  const double n = divisor(x, axes, correction);
  const Tensor v = var(x, axes, keepdims, correction);
  if (n == 0 || squares_fit(v)) return root(v);
  // σ(x) = σ(k · x) / k, where squares of k · d fit. The nearest such k takes the fewest gradients,
  // which are divided by it, out of the range.
  const int half = x.dtype() == DType::float32 ? 50 : 450;
  const Tensor k = near_one(centred(x.detach(), axes), axes, half);
  return reshape(root(var(x * k, axes, true, correction)) / k, v.shape());
}

Tensor norm(const Tensor& x, double p, const Axes& axes, bool keepdims) {
  check_float("norm", x);
  if (!(p > 0)) throw Error(fmt::format("norm: expected p > 0, got {}", p));
  const std::vector<int> over = checked_axes("norm", axes, x.shape());
  const Tensor size = abs(x);
  if (p == 1) return sum(size, over, keepdims);
  const Tensor largest = max(size, over, true);
  auto without = [&](const Tensor& y) {
    if (keepdims) return y;
    Shape shape;
    for (int axis = 0; axis < x.rank(); ++axis)
      if (!std::ranges::binary_search(over, axis)) shape.append(x.shape()[axis]);
    return reshape(y, shape);
  };
  if (std::isinf(p)) return without(where(less(largest, 0), 0, largest));
  // ‖x‖ = s · ‖x / s‖ for every s, so that s counts as constant.
  const Tensor constant = largest.detach(), is_zero = equal(constant, 0);
  Tensor scale = where(equal(constant - constant, 0) * greater(constant, 0), constant, 1);
  // A gradient that passes a scale of 10⁻⁴⁰ loses its digits.
  const double tiny = x.dtype() == DType::float32 ? 0x1p-100 : 0x1p-900;
  if (p == 2 &&
      std::ranges::any_of(largest.to_vector<double>(), [=](double s) { return s > 0 && s < tiny; }))
    scale = 1 / near_one(x, over);
  const Tensor unit = where(is_zero, 1, size / scale);
  const Tensor total = sum(p == 2 ? unit * unit : pow(unit, p), over, true);
  const Tensor root = p == 2 ? sqrt(total) : pow(total, 1 / p);
  return without(where(is_zero, 0, scale * root));
}

}  // namespace gradus
