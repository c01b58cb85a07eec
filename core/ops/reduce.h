#pragma once

#include "core/autograd/autograd.h"

/// Reductions over axes, by default over all of them; `keepdims` leaves them with size 1. Sums of
/// floats are added in blocks, and the sums of these in float64: over any axis they err by 2⁻¹⁸ of
/// Σ |x| at most in float32, whatever its size, and do not depend on the number of threads.
namespace gradus {

using Axes = std::vector<int>;
/// The last argument of sum(x, axes, keepdims): axes stay, with size 1.
inline constexpr bool keepdims = true;

/// Σ x over axes; 0 for no elements. dL/dx = g expanded. int64 wraps around.
Tensor sum(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// The largest element; −∞ for no elements, NaN where there is one.
/// dL/dx = g divided equally among the elements that tie for the maximum.
/// Throws Error for int64 without elements.
Tensor max(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
Tensor min(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// Σ x / n over axes; NaN for no elements.
Tensor mean(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// Π x over axes; 1 for no elements. It is a composition of log₂(n) products of halves, so that its
/// gradient is exact at zeros, too.
Tensor prod(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// log Σ eˣ over axes, without overflow; −∞ where all are −∞. dL/dx = g · softmax(x), which gives g
/// to the elements that are ∞, in equal parts.
Tensor logsumexp(const Tensor& x, const Axes& axes = {}, bool keepdims = false);

/// The int64 index of the largest element along one axis, of several the first (or the `last`), or
/// of the first NaN. Not differentiable. Throws Error for an axis of size 0.
Tensor argmax(const Tensor& x, int axis, bool last = false);
/// The same of the smallest.
Tensor argmin(const Tensor& x, int axis, bool last = false);

}  // namespace gradus
