#include "core/kernels/packed_matrix.h"

#include <algorithm>

#include "core/kernels/flush_subnormals.h"
#include "core/kernels/pool.h"
#include "core/kernels/simd.h"

namespace gradus {

namespace {

/// to[j · step + i] = row i of `from` at column j.
template <class T>
void lay_columns(const Matrix<const T>& from, T* to, int64_t step) {
  if (!from.transposed)
    return simd::kernels<T>().transpose(from.data, from.leading, from.rows, from.columns, to, step);
  for (int64_t j = 0; j < from.columns; ++j)
    std::copy_n(from.data + j * from.leading, from.rows, to + j * step);
}

}  // namespace

template <class T>
PackedMatrix<T>::PackedMatrix(const Matrix<const T>& b)
    : inner_(b.rows),
      columns_(b.columns),
      strip_count_((columns_ + simd::kernels<T>().tile_columns - 1) /
                   simd::kernels<T>().tile_columns),
      strips_(strip_count_ * inner_ * simd::kernels<T>().tile_columns) {
  const int64_t width = simd::kernels<T>().tile_columns;
  pool::parallel_for(
      strip_count_, std::max<int64_t>(1, 100'000 / std::max<int64_t>(1, inner_ * width)),
      [&](int64_t s, int64_t last) {
        for (; s < last; ++s) {
          const int64_t j = s * width, n = std::min(width, columns_ - j);
          T* to = strips_.data() + j * inner_;
          Matrix<const T> strip =
              b.part(j, j + n, false);  // its transpose has the strip's columns as rows
          std::swap(strip.rows, strip.columns);
          strip.transposed = !strip.transposed;
          lay_columns(strip, to, width);
          for (int64_t k = 0; n < width && k < inner_; ++k)
            std::fill_n(to + k * width + n, width - n, T(0));
        }
      });
}

template <class T>
void PackedMatrix<T>::multiply(const Matrix<const T>& a, const Matrix<const T>& start,
                               const Matrix<T>& c) const {
  const auto& kernels = simd::kernels<T>();
  const int64_t width = kernels.tile_columns, strips = strip_count_;
  // As few tiles as there can be, of nearly the same number of rows.
  const int64_t tiles = (a.rows + kernels.tile_rows - 1) / kernels.tile_rows;
  auto first_row = [&](int64_t tile) { return a.rows * tile / tiles; };
  // A strip meets several tiles while it is in the cache, as do these tiles the strips.
  constexpr int64_t together = 8;
  auto multiply_part = [&](int64_t tile, int64_t last_tile, int64_t strip, int64_t last_strip) {
    const FlushSubnormals flush;
    const Buffer<T> copy(together * kernels.tile_rows * inner_);
    T* rows = copy.data();
    for (; tile < last_tile; tile += together) {
      const int64_t end = std::min(tile + together, last_tile), top = first_row(tile);
      for (int64_t t = tile; t < end; ++t) {
        const int64_t i = first_row(t), n = first_row(t + 1) - i;
        lay_columns(a.part(i, i + n, true), rows + (i - top) * inner_, n);
      }
      for (int64_t s = strip; s < last_strip; ++s)
        for (int64_t t = tile; t < end; ++t) {
          const int64_t i = first_row(t), n = first_row(t + 1) - i, j = s * width;
          kernels.multiply_tile({rows + (i - top) * inner_, strips_.data() + j * inner_,
                                 start.data ? start.data + i * start.leading + j : nullptr,
                                 c.data + i * c.leading + j, start.leading, c.leading, inner_, n,
                                 std::min(width, columns_ - j)});
        }
    }
  };
  const int64_t work = std::max<int64_t>(1, a.rows * inner_ * columns_);
  const bool by_rows = tiles > strips;
  const int64_t length = by_rows ? tiles : strips;
  pool::parallel_for(length, std::max<int64_t>(1, 500'000 * length / work),
                     [&](int64_t begin, int64_t end) {
                       if (by_rows)
                         multiply_part(begin, end, 0, strips);
                       else
                         multiply_part(0, tiles, begin, end);
                     });
}

template class PackedMatrix<float>;
template class PackedMatrix<double>;

}  // namespace gradus
