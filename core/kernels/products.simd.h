#pragma once

#include <cstdint>

#include "core/kernels/instruction_set.h"

namespace gradus::simd {

/// A tile of a product, c = start + a · b; without a start it is zero. With `adds` and no start,
/// c += a · b, which is added when it is complete. Element (i, k) of a is
/// a[i · a_row + k · a_step]. b is strips of `strip_columns` columns, b_strip apart, of which row k
/// is b[k · b_step …]; their last one may be read beyond `columns`. Rows of start and of c are
/// start_step and c_step apart.
template <class T>
struct Tile {
  const T *a, *b, *start;
  T* c;
  int64_t a_row, a_step, b_step, b_strip, start_step, c_step;
  int64_t inner, rows, columns;
  bool adds;
};

/// One row times a matrix of which the columns are lines of memory:
/// c[j] = start[j] + Σ over k < inner of a[k · a_step] · b[j · b_step + k], for j < columns. Its
/// start and `adds` are as a tile's.
template <class T>
struct Row {
  const T *a, *b, *start;
  T* c;
  int64_t a_step, b_step, inner, columns;
  bool adds;
};

/// Lays out `lines` of `inner` elements each, line_step and inner_step apart, in groups of `group`:
/// of line i of a group, element k goes to[k · step + i], and group_step further for the next one.
/// A group's step and start hold whole vectors, which are filled up with some numbers or others.
template <class T>
struct Packing {
  const T* from;
  int64_t line_step, inner_step, lines, inner;
  T* to;
  int64_t group, step, group_step;
};

/// Each element of a tile is one chain of fused multiply-adds, from its start on by increasing
/// index of the inner axis: the same bits in every tile and with every instruction set that has
/// them.
template <class T>
struct Products {
  int64_t tile_rows;      ///< the largest tile's
  int64_t strip_columns;  ///< a strip's
  /// At most tile_rows rows, any number of columns.
  void (*multiply)(const Tile<T>& tile);
  void (*multiply_row)(const Row<T>& row);
  void (*pack)(const Packing<T>& packing);
};

/// Those for the instruction set in use.
template <class T>
const Products<T>& products() {
  static const Products<T>& chosen = best<Products<T>>();
  return chosen;
}

}  // namespace gradus::simd
