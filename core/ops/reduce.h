#pragma once

#include "core/autograd/autograd.h"

/// Ops that take axes away. No axes named means all of them; `keepdims` leaves them with size 1.
namespace gradus {

using Axes = std::vector<int>;
/// The last argument of sum(x, axes, keepdims): axes stay, with size 1.
inline constexpr bool keepdims = true;

/// Σ x over axes; 0 for none. dL/dx = g stretched.
Tensor sum(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// The largest over axes; −∞ for none, NaN where there is one.
/// dL/dx = g shared equally among the elements that tie for the maximum.
Tensor max(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
Tensor min(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// Σ x / n over axes; NaN for none.
Tensor mean(const Tensor& x, const Axes& axes = {}, bool keepdims = false);
/// Σ (x − mean)² / (n − correction). PyTorch's default is correction 1, Keras' is 0, as here.
Tensor variance(const Tensor& x, const Axes& axes = {}, bool keepdims = false,
                int64_t correction = 0);
/// log Σ eˣ over axes, without overflow; −∞ where all are −∞. dL/dx = g · softmax(x).
Tensor logsumexp(const Tensor& x, const Axes& axes = {}, bool keepdims = false);

/// The int64 index of the first of the largest along one axis. No gradient passes.
/// Throws Error for an empty axis.
Tensor argmax(const Tensor& x, int axis);

}  // namespace gradus
