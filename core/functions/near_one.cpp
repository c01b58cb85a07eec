#include "core/functions/near_one.h"

#include <algorithm>
#include <cmath>

#include "core/ops/pointwise.h"

namespace gradus {

Tensor near_one(const Tensor& x, const Axes& axes) {
  Tensor result = max(abs(x.detach()), axes, keepdims).detach();
  dispatch_float("near_one", x.dtype(), [&](auto element) {
    using T = decltype(element);
    constexpr int most = sizeof(T) == sizeof(float) ? 100 : 900;  // 1 / k must not leave the range
    T* values = result.mutable_data<T>();
    for (int64_t i = 0; i < result.numel(); ++i)
      values[i] = values[i] > 0 && std::isfinite(values[i])
                      ? std::ldexp(T(1), std::clamp(-std::ilogb(values[i]), -most, most))
                      : T(1);
  });
  return result;
}

bool squares_fit(const Tensor& sums) {
  const double most = sums.dtype() == DType::float32 ? 0x1p100 : 0x1p900;
  return std::ranges::all_of(sums.to_vector<double>(),
                             [=](double sum) { return sum >= 1 / most && sum <= most; });
}

}  // namespace gradus
