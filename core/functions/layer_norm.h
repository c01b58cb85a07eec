#pragma once

#include "core/tensor/tensor.h"

namespace gradus {

/// (x − mean) / √(variance + epsilon) over the last axis, times `weight`, plus `bias` (both (n) and
/// optional): Ba, Kiros, Hinton 2016. The variance is the biased one. Rows of equal elements give
/// exactly `bias`. Throws Error for a scalar, and for other shapes of weight and bias.
Tensor layer_norm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {},
                  double epsilon = 1e-5);

}  // namespace gradus
