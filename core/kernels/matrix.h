#pragma once

#include <cstdint>
#include <type_traits>

namespace gradus {

/// Element (i, j) is data[i · row_stride + j · column_stride].
template <class T>
struct Matrix {
  T* data = nullptr;
  int64_t rows = 0, columns = 0, row_stride = 0, column_stride = 1;

  operator Matrix<const T>() const requires(!std::is_const_v<T>) {
    return {data, rows, columns, row_stride, column_stride};
  }
  T& at(int64_t i, int64_t j) const { return data[i * row_stride + j * column_stride]; }
  Matrix transposed() const { return {data, columns, rows, column_stride, row_stride}; }
  /// The given ranges of rows and columns; of no data, none.
  Matrix part(int64_t row, int64_t last_row, int64_t column, int64_t last_column) const {
    return {data ? &at(row, column) : nullptr, last_row - row, last_column - column, row_stride,
            column_stride};
  }
};

/// to = from, of the same rows and columns; zeros for no data.
template <class T>
void copy(const Matrix<const std::type_identity_t<T>>& from, const Matrix<T>& to) {
  for (int64_t i = 0; i < to.rows; ++i)
    for (int64_t j = 0; j < to.columns; ++j) to.at(i, j) = from.data ? from.at(i, j) : T(0);
}

}  // namespace gradus
