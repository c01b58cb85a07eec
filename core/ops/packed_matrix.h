#pragma once

#include <memory>
#include <type_traits>

#include "core/tensor/tensor.h"

namespace gradus {

/// A matrix as BLAS takes it: row-major with `leading` elements from row to row, or the transpose
/// of such a one.
template <class T>
struct Matrix {
  T* data = nullptr;
  int64_t rows = 0, columns = 0, leading = 0;
  bool transposed = false;

  operator Matrix<const T>() const requires(!std::is_const_v<T>) {
    return {data, rows, columns, leading, transposed};
  }
  Matrix part(int64_t begin, int64_t end, bool of_rows) const {
    Matrix result = *this;
    if (data) result.data += begin * (of_rows != transposed ? leading : 1);
    (of_rows ? result.rows : result.columns) = end - begin;
    return result;
  }
};

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
  int64_t inner_, columns_;
  Tensor strips_;  // (strips, inner, columns of a strip)
};

/// While it lives, parameters do not change, promises who makes it: the products on this thread
/// then keep them as panels. It is for the forward and backward pass of a training step, where each
/// time step multiplies by the same weights, and for decoding.
class ConstantParameters {
 public:
  ConstantParameters();
  ~ConstantParameters();
  ConstantParameters(const ConstantParameters&) = delete;
  ConstantParameters& operator=(const ConstantParameters&) = delete;
};

/// A matrix with contiguous rows, or its transpose, as the right side of products: kept by
/// ConstantParameters if it is a parameter.
template <class T>
std::shared_ptr<const PackedMatrix<T>> packed(const Tensor& matrix, bool transposed);
/// Whether ConstantParameters keeps them.
bool keeps_packed(const Tensor& matrix);

}  // namespace gradus
