#pragma once

#include "core/autograd/autograd.h"

namespace gradus {

/// Rows of `table` (N, …) by index: ids (int64, any shape) → (ids…, …). y[i] = table[ids[i]].
/// dL/dtable = scatter_add(N, ids, g). Throws Error for an index outside [0, N).
Tensor gather(const Tensor& table, const Tensor& ids);

/// The adjoint of gather: (rows, …), where row i is the sum of the rows of `source` (ids…, …) whose
/// index is i, as accurate as sum(). dL/dsource = gather(g, ids). Throws Error for an index outside
/// [0, rows), and unless the shape of `source` begins with that of ids.
Tensor scatter_add(int64_t rows, const Tensor& ids, const Tensor& source);

/// 1 at each index, 0 elsewhere: ids (…) → (…, classes). Throws Error for an index outside
/// [0, classes).
Tensor one_hot(const Tensor& ids, int64_t classes, DType dtype = DType::float32);

}  // namespace gradus
