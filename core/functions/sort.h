#pragma once

#include "core/tensor/tensor.h"

/// Order along one axis. NaN counts as larger than every number; elements that are equal keep their
/// order (a stable sort), also when `descending`. PyTorch's defaults: the last axis, ascending.
namespace gradus {

struct Sorted {
  Tensor values, indices;  ///< values = take_along_axis(x, indices, axis); indices are int64
};

/// The numbers of the elements in the order of their size. No gradient passes.
Tensor argsort(const Tensor& x, int axis = -1, bool descending = false);
/// The elements in the order of their size. dL/dx = g where each element came from.
Sorted sort(const Tensor& x, int axis = -1, bool descending = false);
/// The k largest (else the k smallest), in order. dL/dx = g where each came from, 0 elsewhere.
/// Throws Error unless 0 ≤ k ≤ the size of the axis.
Sorted topk(const Tensor& x, int64_t k, int axis = -1, bool largest = true);

}  // namespace gradus
