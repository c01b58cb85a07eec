#pragma once

#include "core/tensor/tensor.h"

/// Running sums and products along one axis.
namespace gradus {

/// yᵢ = Σ_{j ≤ i} xⱼ along `axis`, or Σ_{j ≥ i} xⱼ when `reverse`. float32 is summed in float64,
/// float64 with what rounding lost. dL/dx = cumsum(g) the other way round.
Tensor cumsum(const Tensor& x, int axis, bool reverse = false);

/// yᵢ = Π_{j ≤ i} xⱼ along `axis`. It is a composition of log₂(n) products of shifted parts, so
/// that its gradient is exact at zeros, too.
Tensor cumprod(const Tensor& x, int axis);

}  // namespace gradus
