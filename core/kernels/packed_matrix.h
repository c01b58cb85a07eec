#pragma once

#include "core/kernels/buffer.h"
#include "core/kernels/matrix.h"

namespace gradus {

/// The right side b (inner, columns) of products a · b with few rows, kept in the order in which
/// they read it: strips of some columns, each row by row. A row of the product has the same bits
/// whichever rows stand beside it.
/// Goto & van de Geijn, Anatomy of High-Performance Matrix Multiplication (2008), whose inner two
/// loops these are: for few rows, laying b out costs BLAS as much as it costs here, at every call.
template <class T>
class PackedMatrix {
 public:
  explicit PackedMatrix(const Matrix<const T>& b);
  /// c = start + a · b; without data, `start` is zero, and with `leading` 0 one row for all. It may
  /// be c. Neither start nor c is transposed.
  void multiply(const Matrix<const T>& a, const Matrix<const T>& start, const Matrix<T>& c) const;

 private:
  int64_t inner_, columns_, strip_count_;
  Buffer<T> strips_;  // (strips, inner, columns of a strip)
};

}  // namespace gradus
