#pragma once

#include "core/autograd/autograd.h"

/// Ops that move elements without changing them. Views share storage with their input.
namespace gradus {

/// The same elements in row-major order under another shape, as a view; one size may be −1.
/// dL/dx = reshape(g). Throws Error when the counts differ, or when x is a strided view that no
/// strides can describe in the new shape: call contiguous() first.
Tensor reshape(const Tensor& x, Shape shape);

/// y[i…] with the axes in another order, as a view: axis k of the result is axis order[k] of x.
/// dL/dx = permute(g, order⁻¹).
Tensor permute(const Tensor& x, std::span<const int> order);
inline Tensor permute(const Tensor& x, std::initializer_list<int> order) {
  return permute(x, std::span(order.begin(), order.size()));
}

/// Two axes exchanged, as a view; the last two if none are named.
Tensor transpose(const Tensor& x, int a = -2, int b = -1);

/// Elements begin, begin + step, … before end along one axis, as a view; see also x[{…}] in
/// index.h. Negative begin and end count from the back. dL/dx = g where the elements were taken, 0
/// elsewhere. Throws Error unless 0 ≤ begin ≤ end ≤ size and step ≥ 1.
Tensor slice(const Tensor& x, int axis, int64_t begin, int64_t end, int64_t step = 1);

/// x between `before` and `after` elements of `value` along one axis, with `gap` of them between
/// neighbours (for slices with a step). dL/dx = slice(g). Copies. Throws Error for negative ones.
Tensor pad(const Tensor& x, int axis, int64_t before, int64_t after, double value = 0,
           int64_t gap = 0);

/// x repeated along axes of size 1 (and new axes in front) to `shape`, as a view.
/// dL/dx = sum of g over the repetitions. Throws Error when x does not broadcast to `shape`.
Tensor expand(const Tensor& x, const Shape& shape);

/// unsqueeze inserts an axis of size 1 before `axis`, squeeze removes one; views. Throw Error where
/// there is no such axis, or its size is not 1.
Tensor unsqueeze(const Tensor& x, int axis);
Tensor squeeze(const Tensor& x, int axis);

/// Tensors one after the other along an axis. dL/dxᵢ = the slice of g that xᵢ became. Copies.
/// Throws Error when there are none, or when dtypes or the sizes of other axes differ.
Tensor concat(const std::vector<Tensor>& parts, int axis);

/// Tensors of one shape side by side along a new axis. Copies.
Tensor stack(const std::vector<Tensor>& parts, int axis);

/// Equal pieces along an axis, as views. Throws Error when its size is not a multiple of `pieces`.
std::vector<Tensor> split(const Tensor& x, int64_t pieces, int axis);

/// x itself if its elements lie in row-major order without gaps, else a copy whose do.
Tensor contiguous(const Tensor& x);

/// x in another dtype (itself where it is the same). dL/dx = g cast back; integers get none.
Tensor cast(const Tensor& x, DType dtype);

}  // namespace gradus
