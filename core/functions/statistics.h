#pragma once

#include "core/ops/reduce.h"

namespace gradus {

/// Σ (x − mean)² / max(0, n − correction) over axes. The default is PyTorch's, the unbiased
/// estimate; NumPy's and Keras' is correction 0. Where n ≤ correction it is ∞, or NaN if the sum
/// is 0.
Tensor var(const Tensor& x, const Axes& axes = {}, bool keepdims = false, double correction = 1);
/// √var: PyTorch's std, whose name C++ has taken. Squares neither overflow nor underflow, and the
/// gradient is 0 where it is 0.
Tensor stddev(const Tensor& x, const Axes& axes = {}, bool keepdims = false, double correction = 1);
/// (Σ |x|ᵖ)^(1/p) over axes; max |x| for p = ∞; 0 for none. The powers neither overflow nor
/// underflow, and the gradient is 0 where all of x is 0. Throws Error unless p > 0.
Tensor norm(const Tensor& x, double p = 2, const Axes& axes = {}, bool keepdims = false);
}  // namespace gradus
