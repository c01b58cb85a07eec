#pragma once

#include "core/ops/reduce.h"

/// Squares of x leave the range of float32 at 10¹⁹ and 10⁻²³. Ops that need some compute with x as
/// it is, look whether the squares fit, and only if not, compute again with rows that are near 1.
namespace gradus {

/// For each row over `axes`, which stay with size 1, 1 or the power of two by which its largest
/// element comes to between 2⁻ⁿ and 2ⁿ.
Tensor near_one(const Tensor& x, const Axes& axes, int n = 0);

/// Whether sums of squares neither left the range nor came close to its lower end. Zeros did. Yes
/// for an observer of all ops, which records ops that hold for any values.
bool squares_fit(const Tensor& sums);

}  // namespace gradus
