#pragma once

#include "core/ops/reduce.h"

/// Squares of x leave the range of float32 at 10¹⁹ and 10⁻²³. Ops that need some compute with x as
/// it is, look whether the squares fit, and only if not, compute again with rows that are near 1.
namespace gradus {

/// For each row over `axes`, which stay with size 1, 1 or the power of two by which its elements
/// come so near to 1 that their squares can be summed.
Tensor near_one(const Tensor& x, const Axes& axes);

/// Whether sums of squares are far from both ends of the range. Zeros are not.
bool squares_fit(const Tensor& sums);

}  // namespace gradus
