#pragma once

#include <cstdint>
#include <limits>

#include "core/kernels/matrix.h"

/// Products of matrices. Numbers below 2⁻¹²⁶ (2⁻¹⁰²² in float64) count as zero.
namespace gradus::products {

/// The largest number of rows, columns or elements from row to row that BLAS takes.
constexpr int64_t largest_size = std::numeric_limits<int>::max();

/// c = a · b + beta · c by BLAS, on all threads where that is worth it; with beta 0, c is not read.
/// Throws std::length_error for a size beyond `largest_size`.
template <class T>
void multiply(const Matrix<const T>& a, const Matrix<const T>& b, T beta, const Matrix<T>& c);

/// The same for a row times a matrix, or a column times a row, without BLAS, which needs ten times
/// as long for them when they are as small as one sentence's attention. False for other products,
/// of which nothing is done. c is not transposed.
template <class T>
bool multiply_vector(const Matrix<const T>& a, const Matrix<const T>& b, T beta,
                     const Matrix<T>& c);

}  // namespace gradus::products
