#include "core/functions/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/functions/near_one.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"

namespace gradus {

Tensor var(const Tensor& x, const Axes& axes, bool keepdims, double correction) {
  check_float("var", x);
  double n = -correction, elements = 1;
  for (const int axis : checked_axes("var", axes, x.shape()))
    elements *= static_cast<double>(x.shape()[axis]);
  n = std::max(0.0, n + elements);
  Tensor deviation = x - mean(x, axes, true);
  // The mean was rounded. What it left, whose exact value is 0, has no derivative.
  deviation = deviation - mean(deviation.detach(), axes, true);
  const Tensor v = sum(deviation * deviation, axes, keepdims) / n;
  if (squares_fit(v)) return v;
  const Tensor k = near_one(x, axes), near = deviation * k;
  return reshape(sum(near * near, axes, true) / n / k / k, v.shape());
}

Tensor stddev(const Tensor& x, const Axes& axes, bool keepdims, double correction) {
  check_float("stddev", x);
  Tensor v = var(x, axes, keepdims, correction), k;
  if (!squares_fit(v)) {
    k = near_one(x, axes);
    v = var(x * k, axes, keepdims, correction);
    k = reshape(k, v.shape());
  }
  const Tensor is_zero = equal(v, 0).detach();
  const Tensor root = where(is_zero, 0, sqrt(where(is_zero, 1, v)));
  return k.defined() ? root / k : root;
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
  if (std::ranges::any_of(largest.to_vector<double>(), [=](double s) { return s > 0 && s < tiny; }))
    scale = 1 / near_one(x, over);
  const Tensor unit = where(is_zero, 1, size / scale);
  const Tensor total = sum(p == 2 ? unit * unit : pow(unit, p), over, true);
  const Tensor root = p == 2 ? sqrt(total) : pow(total, 1 / p);
  return without(where(is_zero, 0, scale * root));
}

}  // namespace gradus
