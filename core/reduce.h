#pragma once

#include "core/autograd.h"

/// Ops that take axes away. No axes named means all of them; `keep_axes` leaves them with size 1.
namespace gradus {

using Axes = std::vector<int>;
enum Keep : bool { drop_axes, keep_axes };

/// Σ x over axes; 0 for none. dL/dx = g stretched.
Tensor sum(const Tensor& x, const Axes& axes = {}, Keep keep = drop_axes);
/// The largest over axes; −∞ for none, NaN where there is one.
/// dL/dx = g shared equally among the elements that tie for the maximum.
Tensor max(const Tensor& x, const Axes& axes = {}, Keep keep = drop_axes);
Tensor min(const Tensor& x, const Axes& axes = {}, Keep keep = drop_axes);
/// Σ x / n over axes; NaN for none.
Tensor mean(const Tensor& x, const Axes& axes = {}, Keep keep = drop_axes);
/// Σ (x − mean)² / (n − correction). PyTorch's default is correction 1, Keras' is 0, as here.
Tensor variance(const Tensor& x, const Axes& axes = {}, Keep keep = drop_axes,
                int64_t correction = 0);
/// log Σ eˣ over axes, without overflow; −∞ where all are −∞. dL/dx = g · softmax(x).
Tensor logsumexp(const Tensor& x, const Axes& axes = {}, Keep keep = drop_axes);

/// The int64 index of the first of the largest along one axis. No gradient passes.
/// Throws Error for an empty axis.
Tensor argmax(const Tensor& x, int axis);

}  // namespace gradus
