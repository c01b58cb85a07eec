#pragma once

#include "core/tensor/tensor.h"

/// Sorting along one axis. NaN counts as larger than every number; equal elements keep their order
/// (a stable sort), also when `descending`. PyTorch's defaults: the last axis, ascending.
namespace gradus {

struct Sorted {
  Tensor values, indices;  ///< values = take_along_axis(x, indices, axis); indices are int64
};

/// The indices that sort x along the axis. Not differentiable.
Tensor argsort(const Tensor& x, int axis = -1, bool descending = false);
/// The elements in ascending order, or in descending order. dL/dx = g at each element's place in x.
Sorted sort(const Tensor& x, int axis = -1, bool descending = false);
/// The k largest elements in descending order, or else the k smallest in ascending order.
/// dL/dx = g at each element's place in x, 0 elsewhere.
/// Throws Error unless 0 ≤ k ≤ the size of the axis.
Sorted topk(const Tensor& x, int64_t k, int axis = -1, bool largest = true);

}  // namespace gradus
