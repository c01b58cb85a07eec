#include "optim/clip.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/autograd/autograd.h"
#include "core/kernels/simd.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"
#include "core/tensor/threads.h"

namespace gradus {

namespace {

/// In blocks, whose sums are the same for any number of threads and are added in float64.
double sum_of_squares(const Tensor& x) {
  return dispatch_float("clip_gradients", x.dtype(), [&](auto element) {
    using T = decltype(element);
    const T* values = x.data<T>();
    const int64_t n = x.numel(), block = 1 << 14, blocks = (n + block - 1) / block;
    std::vector<double> sums(static_cast<size_t>(blocks));
    parallel_for(blocks, 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T* part = values + i * block;
        const int64_t length = std::min(block, n - i * block);
        double& sum = sums[static_cast<size_t>(i)];
        sum = simd::kernels<T>().dot(part, part, length);
        if (sum == 0 || (sum > 1e-30 && sum < 1e30)) continue;
        sum = 0;  // squares that float32 cannot hold
        for (int64_t k = 0; k < length; ++k) sum += static_cast<double>(part[k]) * part[k];
      }
    });
    return std::accumulate(sums.begin(), sums.end(), 0.0);
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

/// ‖x‖ of all gradients, where the sum of squares fits into float64; otherwise m · ‖x / m‖ with the
/// largest |x| for m.
double norm_of(std::span<const Tensor> parameters) {
  std::vector<Tensor> gradients;
  std::vector<size_t> positions;
  for (size_t i = 0; i < parameters.size(); ++i)
    if (parameters[i].grad().defined()) {
      gradients.push_back(contiguous(parameters[i].grad()));
      positions.push_back(i);
    }
  double total = 0;
  for (const Tensor& gradient : gradients) total += sum_of_squares(gradient);
  if (std::isfinite(total) && total > 1e-280) return std::sqrt(total);
  double largest = 0;
  for (size_t i = 0; i < gradients.size(); ++i)
    for (const double g : gradients[i].to_vector<double>()) {
      if (!std::isfinite(g)) fail_not_finite(parameters[positions[i]], positions[i]);
      largest = std::max(largest, std::abs(g));
    }
  if (largest == 0) return 0;
  total = 0;
  for (const Tensor& gradient : gradients)
    for (const double g : gradient.to_vector<double>()) total += (g / largest) * (g / largest);
  return largest * std::sqrt(total);
}

}  // namespace

double clip_gradients(std::span<const Tensor> parameters, double max_norm) {
  if (!(max_norm >= 0))
    throw Error(fmt::format("clip_gradients: expected max_norm of at least 0, got {}", max_norm));
  const NoGrad pause;
  const double norm = norm_of(parameters), scale = max_norm / (norm + 1e-6);
  // Gradients may share storage (those of a + b do), so each is replaced, not scaled in place.
  if (scale < 1)
    for (const Tensor& parameter : parameters)
      if (parameter.grad().defined()) parameter.set_grad(parameter.grad() * scale);
  return norm;
}

}  // namespace gradus
