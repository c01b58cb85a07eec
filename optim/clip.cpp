#include "optim/clip.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/ops.h"

namespace gradus {

namespace {

/// In float64, in eight interleaved sums that the processor adds side by side.
double sum_of_squares(const Tensor& x) {
  return dispatch_float("clip_gradients", x.dtype(), [&](auto element) {
    using T = decltype(element);
    const T* values = x.data<T>();
    const int64_t n = x.numel();
    double sums[8] = {};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
      for (int k = 0; k < 8; ++k) sums[k] += static_cast<double>(values[i + k]) * values[i + k];
    for (int k = 0; i < n; ++i, ++k) sums[k] += static_cast<double>(values[i]) * values[i];
    double total = 0;
    for (double sum : sums) total += sum;
    return total;
  });
}

[[noreturn]] void fail_not_finite(const Tensor& parameter, size_t position) {
  const std::vector<double> gradient = parameter.grad().to_vector<double>();
  const auto nan =
      std::count_if(gradient.begin(), gradient.end(), [](double g) { return std::isnan(g); });
  const auto infinite =
      std::count_if(gradient.begin(), gradient.end(), [](double g) { return std::isinf(g); });
  throw Error(fmt::format(
      "clip_gradients: the gradient of parameter {}, {}, has no finite norm: of its {} elements {} "
      "are NaN and {} infinite",
      position, parameter.description(), gradient.size(), nan, infinite));
}

}  // namespace

double clip_gradients(std::span<const Tensor> parameters, double max_norm) {
  if (!(max_norm >= 0))
    throw Error(fmt::format("clip_gradients: max_norm wants at least 0, was given {}", max_norm));
  const NoGrad pause;
  double total = 0;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& gradient = parameters[i].grad();
    if (!gradient.defined()) continue;
    const double squares = sum_of_squares(contiguous(gradient));
    if (!std::isfinite(squares)) fail_not_finite(parameters[i], i);
    total += squares;
  }
  const double norm = std::sqrt(total), scale = max_norm / (norm + 1e-6);
  // Gradients may share storage (those of a + b do), so each is replaced, not scaled in place.
  if (scale < 1)
    for (const Tensor& parameter : parameters)
      if (parameter.grad().defined()) parameter.set_grad(parameter.grad() * scale);
  return norm;
}

}  // namespace gradus
