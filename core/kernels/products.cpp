#include "core/kernels/products.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "core/kernels/blas.h"
#include "core/kernels/flush_subnormals.h"
#include "core/kernels/pool.h"

namespace gradus {

namespace {

int64_t divided_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t rounded_up(int64_t a, int64_t b) { return divided_up(a, b) * b; }

template <class T>
constexpr int64_t elements(int64_t bytes) {
  return bytes / int64_t{sizeof(T)};
}

/// The right side of a product: a matrix, or its strips where they are packed.
template <class T>
struct Right {
  Matrix<const T> matrix;
  const T* strips = nullptr;
};

/// Whether a product c of a reads a where it is. That is so where the rows of a are lines of memory
/// of which a panel's stay in the L1 cache together. Those of a distance near a multiple of 2 KiB
/// take each other's places there: of such ones a panel must be of few rows, and is packed where
/// that costs little, for many columns.
template <class T>
bool reads_left(const simd::Products<T>& kernels, const Matrix<const T>& a, const Matrix<T>& c) {
  if (c.rows == 1 || (a.row_stride == 1 && c.columns <= kernels.strip_columns)) return true;
  constexpr int64_t period = elements<T>(2048), near = elements<T>(256), ways = 8;
  const bool apart = a.row_stride < near || (a.row_stride + near) % period >= 2 * near;
  return a.column_stride == 1 && (apart || (kernels.tile_rows < ways && c.columns <= 1024));
}

/// One thread's part of a product. The loops are those of Goto & van de Geijn, Anatomy of
/// High-Performance Matrix Multiplication (2008), with the sides exchanged: a panel of some rows of
/// a stays in the L1 cache while it meets the strips of a block of b, which stays in L2.
template <class T>
class Part {
 public:
  Part(const simd::Products<T>& kernels, const Matrix<const T>& a, const Right<T>& b,
       const Matrix<const T>& start, const Matrix<T>& c)
      : kernels_(kernels),
        a_(a),
        start_(start),
        b_(b),
        c_(c),
        strip_(kernels.strip_columns),
        panels_(divided_up(c.rows, kernels.tile_rows)),
        panel_rows_(divided_up(c.rows, panels_)),
        panel_step_(rounded_up(panel_rows_, strip_ / 2)),
        inner_(std::min(products::chain_length<T>, rounded_up(a.columns, 8))),
        reads_a_(reads_left(kernels, a, c)),
        one_block_(panels_ > 2 && !reads_a_ && c.columns <= elements<T>(1 << 19) / inner_),
        block_panels_(
            reads_a_ ? panels_
            : one_block_
                ? (a.row_stride == 1 ? 16 : 1)
                : std::clamp<int64_t>(elements<T>(1 << 22) / (panel_step_ * inner_), 1, panels_)),
        block_columns_(
            one_block_ ? c.columns
                       : strip_ * std::max<int64_t>(4, elements<T>(1 << 18) / (strip_ * inner_))),
        a_block_(reads_a_ ? 0 : block_panels_ * panel_step_ * inner_) {}

  void run() {
    const FlushSubnormals flush;
    if (c_.rows == 1 && !b_.strips && b_.matrix.row_stride == 1 && b_.matrix.column_stride != 1)
      return multiply_row();
    const int64_t rows = one_block_ ? c_.rows : block_panels_ * panel_rows_;
    for (int64_t row = 0; row < c_.rows; row += rows)
      for (int64_t k = 0; k < a_.columns; k += inner_)
        multiply({row, std::min(c_.rows, row + rows), k, std::min(a_.columns, k + inner_)});
  }

 private:
  void multiply_row() {
    for (int64_t k = 0; k < a_.columns; k += inner_)
      kernels_.multiply_row({&a_.at(0, k), &b_.matrix.at(k, 0), k == 0 ? start_.data : nullptr,
                             c_.data, a_.column_stride, b_.matrix.column_stride,
                             std::min(inner_, a_.columns - k), c_.columns, k > 0});
  }

  /// Ranges of the rows, and of the inner axis.
  struct Block {
    int64_t row, last_row, k, last_k;
    int64_t inner() const { return last_k - k; }
  };
  /// Columns of b as tiles read them, see simd::Tile.
  struct Strips {
    const T* data;
    int64_t step, distance;
  };

  void multiply(const Block& block) {
    if (!one_block_) pack_a(block, block.row, block.last_row);
    const Matrix<const T>& b = b_.matrix;
    const int64_t k = block.k;
    int64_t j = 0;
    if (b_.strips) {
      for (; j < c_.columns; j += block_columns_)
        multiply(block, j, std::min(c_.columns, j + block_columns_),
                 {b_.strips + j * a_.columns + k * strip_, strip_, strip_ * a_.columns});
      return;
    }
    if (panels_ <= 2 && b.column_stride == 1) {  // too few to pack b, but for half a vector
      j = c_.columns - c_.columns % (strip_ / 2);
      if (j > 0) multiply(block, 0, j, {&b.at(k, 0), b.row_stride, strip_});
      if (j == c_.columns) return;
    }
    const int64_t left = c_.columns - j, most = panels_ == 1 ? 4 * strip_ : block_columns_,
                  step = rounded_up(divided_up(left, divided_up(left, most)), strip_);
    const Buffer<T> strips(step * block.inner());
    for (; j < c_.columns; j += step) {
      const int64_t last = std::min(c_.columns, j + step);
      kernels_.pack({&b.at(k, j), b.column_stride, b.row_stride, last - j, block.inner(),
                     strips.data(), strip_, strip_, strip_ * block.inner()});
      multiply(block, j, last, {strips.data(), strip_, strip_ * block.inner()});
    }
  }

  void pack_a(const Block& block, int64_t row, int64_t last_row) {
    if (!reads_a_)
      kernels_.pack({&a_.at(row, block.k), a_.row_stride, a_.column_stride, last_row - row,
                     block.inner(), a_block_.data(), panel_rows_, panel_step_,
                     panel_step_ * inner_});
  }

  void multiply(const Block& block, int64_t column, int64_t last_column, const Strips& b) {
    const Matrix<const T> start = block.k == 0 ? start_ : Matrix<const T>();
    const T* panel = a_block_.data();
    for (int64_t i = block.row; i < block.last_row; i += panel_rows_) {
      const int64_t rows = std::min(panel_rows_, block.last_row - i);
      if (one_block_ && (i - block.row) % (block_panels_ * panel_rows_) == 0) {
        pack_a(block, i, std::min(block.last_row, i + block_panels_ * panel_rows_));
        panel = a_block_.data();
      }
      kernels_.multiply({reads_a_ ? &a_.at(i, block.k) : panel, b.data,
                         start.data ? &start.at(i, column) : nullptr, &c_.at(i, column),
                         reads_a_ ? a_.row_stride : 1, reads_a_ ? a_.column_stride : panel_step_,
                         b.step, b.distance, start.row_stride, c_.row_stride, block.inner(), rows,
                         last_column - column, block.k > 0});
      panel += panel_step_ * inner_;
    }
  }

  const simd::Products<T>& kernels_;
  const Matrix<const T> a_, start_;
  const Right<T> b_;
  const Matrix<T> c_;
  const int64_t strip_, panels_, panel_rows_, panel_step_;
  const int64_t inner_;   // of a block: a chain
  const bool reads_a_;    // where it is
  const bool one_block_;  // of b, at most 512 KiB: a is then packed 16 panels at a time, or one
  const int64_t block_panels_, block_columns_;  // otherwise, of 4 MiB of a and 256 KiB of b
  const Buffer<T> a_block_;
};

/// How many rows of parts a product is cut into, of so many parts: evenly, with little to pack.
int64_t rows_of_parts(int64_t parts, int64_t panels, int64_t strips, bool packs_left) {
  int64_t best = 1, least = 0;
  for (int64_t rows = 1; rows <= parts; ++rows) {
    if (parts % rows != 0) continue;
    const int64_t height = divided_up(panels, rows), width = divided_up(strips, parts / rows),
                  cost = 4 * height * width + (packs_left ? height : 0) + 2 * width;
    if (rows == 1 || cost < least) best = rows, least = cost;
  }
  return best;
}

template <class T>
void multiply(const simd::Products<T>& kernels, const Matrix<const T>& a, const Right<T>& b,
              const Matrix<const T>& start, const Matrix<T>& c) {
  if (c.rows == 0 || c.columns == 0) return;
  const bool moves =
      start.data != c.data && (a.columns == 0 || (start.data && start.column_stride != 1));
  if (moves) copy(start, c);
  if (a.columns == 0) return;
  if (moves) return multiply<T>(kernels, a, b, c, c);
  const int64_t panels = divided_up(c.rows, kernels.tile_rows),
                strips = divided_up(c.columns, kernels.strip_columns);
  const double work =
      static_cast<double>(c.rows) * static_cast<double>(c.columns) * static_cast<double>(a.columns);
  int64_t parts = std::min<int64_t>(pool::size(), panels * strips);
  if (work < 5e5 * static_cast<double>(parts)) parts = static_cast<int64_t>(work / 5e5);
  if (parts <= 1) return Part<T>(kernels, a, b, start, c).run();
  const int64_t part_rows = rows_of_parts(parts, panels, strips, !reads_left(kernels, a, c)),
                part_columns = parts / part_rows;
  pool::parallel_for(parts, 1, [&](int64_t part, int64_t last) {
    if (last - part == parts) return Part<T>(kernels, a, b, start, c).run();
    for (; part < last; ++part) {
      const int64_t r = part / part_columns, s = part % part_columns, i = c.rows * r / part_rows,
                    last_i = c.rows * (r + 1) / part_rows,
                    j = strips * s / part_columns * kernels.strip_columns,
                    last_j = std::min(c.columns,
                                      strips * (s + 1) / part_columns * kernels.strip_columns);
      if (i == last_i || j == last_j) continue;
      Part<T>(
          kernels, a.part(i, last_i, 0, a.columns),
          {b.matrix.part(0, a.columns, j, last_j), b.strips ? b.strips + j * a.columns : nullptr},
          start.part(i, last_i, j, last_j), c.part(i, last_i, j, last_j))
          .run();
    }
  });
}

/// Of more rows than columns, and of too few of these to fill vectors: by the transposes.
template <class T>
void multiply_transposed(const simd::Products<T>& kernels, const Matrix<const T>& a,
                         const Matrix<const T>& b, const Matrix<const T>& start,
                         const Matrix<T>& c) {
  const Buffer<T> room(c.rows * c.columns);
  const Matrix<T> result{room.data(), c.columns, c.rows, c.rows};
  multiply<T>(kernels, b.transposed(), {a.transposed()}, start.transposed(), result);
  copy<T>(result.transposed(), c);
}

std::atomic<bool>& openblas() {
  static std::atomic<bool> use = [] {
    const char* wanted = std::getenv("GRADUS_PRODUCTS");
    const std::string name = wanted ? wanted : "";
    if (name != "" && name != "own" && name != "openblas")
      throw std::runtime_error("GRADUS_PRODUCTS: expected own or openblas, got '" + name + "'");
    if (name == "openblas" && !products::has_openblas())
      throw std::runtime_error(
          "GRADUS_PRODUCTS: openblas was asked for, but OpenBLAS is not "
          "installed (Debian's package is libopenblas0)");
    return name == "openblas" ||
           (name == "" && simd::instruction_set() == simd::InstructionSet::baseline &&
            products::has_openblas());
  }();
  return use;
}

}  // namespace

namespace products {

template <class T>
void multiply(const simd::Products<T>& kernels, const Matrix<const T>& a, const Matrix<const T>& b,
              const Matrix<const T>& start, const Matrix<T>& c) {
  if (c.columns < c.rows && c.columns <= kernels.strip_columns / 8)
    multiply_transposed(kernels, a, b, start, c);
  else
    gradus::multiply<T>(kernels, a, {b}, start, c);
}

template <class T>
void multiply(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<const T>& start,
              const Matrix<T>& c) {
  if (!uses_openblas() || !blas::multiply(a, b, start, c))
    multiply(simd::products<T>(), a, b, start, c);
}

bool has_openblas() { return blas::function("cblas_sgemm"); }
bool uses_openblas() { return openblas(); }
void use_openblas(bool use) { openblas() = use; }

}  // namespace products

template <class T>
PackedMatrix<T>::PackedMatrix(const simd::Products<T>* kernels, const Matrix<const T>& b)
    : kernels_(kernels),
      inner_(b.rows),
      columns_(b.columns),
      values_(inner_ * (kernels ? rounded_up(columns_, kernels->strip_columns) : columns_)) {
  if (!kernels) copy(b, Matrix<T>{values_.data(), inner_, columns_, columns_});
  if (!kernels || inner_ == 0) return;
  const int64_t strip = kernels->strip_columns;
  pool::parallel_for(divided_up(columns_, strip), std::max<int64_t>(1, 100'000 / (inner_ * strip)),
                     [&](int64_t first, int64_t last) {
                       const int64_t j = first * strip;
                       kernels_->pack({&b.at(0, j), b.column_stride, b.row_stride,
                                       std::min(last * strip, columns_) - j, inner_,
                                       values_.data() + j * inner_, strip, strip, strip * inner_});
                     });
}

template <class T>
void PackedMatrix<T>::multiply(const Matrix<const T>& a, const Matrix<const T>& start,
                               const Matrix<T>& c) const {
  const Matrix<const T> b{kernels_ ? nullptr : values_.data(), inner_, columns_, columns_};
  if (kernels_)
    gradus::multiply<T>(*kernels_, a, {b, values_.data()}, start, c);
  else
    products::multiply<T>(a, b, start, c);
}

template void products::multiply(const Matrix<const float>&, const Matrix<const float>&,
                                 const Matrix<const float>&, const Matrix<float>&);
template void products::multiply(const Matrix<const double>&, const Matrix<const double>&,
                                 const Matrix<const double>&, const Matrix<double>&);
template void products::multiply(const simd::Products<float>&, const Matrix<const float>&,
                                 const Matrix<const float>&, const Matrix<const float>&,
                                 const Matrix<float>&);
template void products::multiply(const simd::Products<double>&, const Matrix<const double>&,
                                 const Matrix<const double>&, const Matrix<const double>&,
                                 const Matrix<double>&);
template class PackedMatrix<float>;
template class PackedMatrix<double>;

}  // namespace gradus
