#pragma once

#include "core/autograd.h"

namespace gradus {

/// Matrix product over the last two axes, (…, M, K) · (…, K, N) → (…, M, N); the axes before them
/// are batches and broadcast. Transposed views go to BLAS as they are. dL/da = g · bᵀ, dL/db = aᵀ ·
/// g. Throws Error when the inner sizes differ, an operand has fewer than two axes, or dtypes
/// differ.
Tensor matmul(const Tensor& a, const Tensor& b);

}  // namespace gradus
