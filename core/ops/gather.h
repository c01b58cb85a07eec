#pragma once

#include "core/autograd/autograd.h"

namespace gradus {

/// Rows of `table` (N, …) by number: ids (int64, any shape) → (ids…, …). y[i] = table[ids[i]].
/// dL/dtable = scatter_add(N, ids, g). Throws Error for an index outside [0, N).
Tensor gather(const Tensor& table, const Tensor& ids);

/// The adjoint of gather: a tensor (rows, …) of zeros to which every row of `source` (ids…, …) is
/// added at its number; rows named twice add up. dL/dsource = gather(g, ids).
Tensor scatter_add(int64_t rows, const Tensor& ids, const Tensor& source);

/// 1 at each number, 0 elsewhere: ids (…) → (…, classes).
Tensor one_hot(const Tensor& ids, int64_t classes, DType dtype = DType::float32);

}  // namespace gradus
