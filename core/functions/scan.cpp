#include "core/functions/scan.h"

#include <cmath>

#include "core/autograd/autograd.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/tensor/threads.h"

namespace gradus {

namespace {

/// In float64 of floats, with what rounding took away (Neumaier 1974) where they are float64.
template <class T>
void scan_row(const T* x, T* y, int64_t n, bool reverse) {
  std::conditional_t<std::is_integral_v<T>, uint64_t, double> sum = 0;  // integers wrap around
  double lost = 0;
  for (int64_t k = 0; k < n; ++k) {
    const int64_t i = reverse ? n - 1 - k : k;
    if constexpr (std::is_integral_v<T>) {
      y[i] = static_cast<T>(sum += static_cast<uint64_t>(x[i]));
    } else {
      const double before = sum, added = static_cast<double>(x[i]);
      sum += added;
      if (sizeof(T) == sizeof(double) && std::isfinite(sum))
        lost += std::abs(before) >= std::abs(added) ? before - sum + added : added - sum + before;
      y[i] = static_cast<T>(sum + lost);
    }
  }
}

}  // namespace

Tensor cumsum(const Tensor& x, int axis, bool reverse) {
  axis = checked_axis("cumsum", axis, x.shape());
  const Tensor rows = contiguous(transpose(x.detach(), axis, -1));
  const int64_t n = rows.shape().back(), count = n == 0 ? 0 : rows.numel() / n;
  Tensor sums = Tensor::uninitialised(rows.shape(), x.dtype());
  dispatch(x.dtype(), [&](auto element) {
    const auto* from = rows.data<decltype(element)>();
    auto* to = sums.mutable_data<decltype(element)>();
    parallel_for(count, std::max<int64_t>(1, 16384 / std::max<int64_t>(n, 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i)
                     scan_row(from + i * n, to + i * n, n, reverse);
                 });
  });
  return record(
      {"cumsum", "Σ x up to each element", {{"Σ g from each element on"}}},
      contiguous(transpose(sums, axis, -1)), {x},
      [=](const Backward& b) { return std::vector<Gradient>{cumsum(b.gradient, axis, !reverse)}; },
      [=](const auto& x) { return cumsum(x[0], axis, reverse); },
      [=] {
        return Attributes{{"axis", axis}, {"reverse", int64_t{reverse}}};
      });
}

Tensor cumprod(const Tensor& x, int axis) {
  axis = checked_axis("cumprod", axis, x.shape());
  const int64_t n = x.shape()[axis];
  Tensor y = x;  // yᵢ = the product of the `width` elements up to i
  for (int64_t width = 1; width < n; width *= 2)
    y = concat({slice(y, axis, 0, width), slice(y, axis, width, n) * slice(y, axis, 0, n - width)},
               axis);
  return y;
}

}  // namespace gradus
