#pragma once

#include "core/tensor/tensor.h"

/// The three ops that the engine itself needs; they are defined in core/ops/accumulate.cpp, above
/// it.
namespace gradus {

/// out += x, not recorded: `out` of the same shape and dtype, both of any strides; they may
/// overlap. Throws Error for an expanded `out`.
void add_into(Tensor& out, const Tensor& x);
inline void add_into(Tensor&& view, const Tensor& x) { add_into(view, x); }

/// a + b, recorded.
Tensor sum_of(const Tensor& a, const Tensor& b);

/// Σ over what broadcasting had stretched from `shape`, recorded.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace gradus
