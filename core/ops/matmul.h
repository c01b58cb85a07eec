#pragma once

#include "core/autograd/autograd.h"

namespace gradus {

/// Matrix product over the last two axes, (…, M, K) · (…, K, N) → (…, M, N); the axes before them
/// are batches and broadcast. Views of any strides are read as they are. dL/da = g · bᵀ,
/// dL/db = aᵀ · g. Each element is summed in one order by fused multiply-adds, see
/// reproducible() in core/tensor/processor.h. Numbers below 2⁻¹²⁶ (2⁻¹⁰²² in float64) count as
/// zero. Throws Error when the inner sizes differ, an operand has fewer than two axes, or dtypes
/// differ.
Tensor matmul(const Tensor& a, const Tensor& b);

/// sum += a · b, not recorded: `sum` is contiguous and has the shape of the product.
void add_matmul(const Tensor& a, const Tensor& b, Tensor& sum);
inline void add_matmul(const Tensor& a, const Tensor& b, Tensor&& view) { add_matmul(a, b, view); }

/// x · Wᵀ + b: x (…, in), W (out, in) → (…, out); b is optional and broadcasts to the result. One
/// op, so that the product is added to b as it is made, and W's gradient to what earlier steps
/// left. dL/dx = g · W, dL/dW = gᵀ · x, dL/db = g. Throws Error when the inner sizes or dtypes
/// differ, W is not a matrix, or b would stretch the result.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& b = {});

}  // namespace gradus
