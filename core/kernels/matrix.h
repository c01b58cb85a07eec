#pragma once

#include <cstdint>
#include <type_traits>

namespace gradus {

/// A matrix as BLAS takes it: row-major with `leading` elements from row to row, or the transpose
/// of such a matrix.
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

}  // namespace gradus
