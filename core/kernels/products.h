#pragma once

#include "core/kernels/buffer.h"
#include "core/kernels/matrix.h"
#include "core/kernels/products.simd.h"

namespace gradus {

/// Products of matrices of any strides, on all threads where that is worth it.
///
/// Each element is a chain of fused multiply-adds, from `start` or 0 on by increasing index of the
/// inner axis; of a longer axis each `chain_length` elements make a chain of their own from 0 on,
/// which is added to what those before gave: so errors grow little. Its bits depend on its row of
/// a, its column of b and its start alone: not on other rows and columns, strides, packing or
/// threads, nor on the instruction set, unless that is the baseline. Numbers below 2⁻¹²⁶ (2⁻¹⁰²² in
/// float64) count as zero.
///
/// With the baseline's instructions, and after use_openblas(true), OpenBLAS computes the products
/// that it can take: of no element more than 2³¹ − 1 from row to row.
namespace products {

/// 384 in float32, 192 in float64: what stays in the L1 cache of a panel.
template <class T>
constexpr int64_t chain_length = 1536 / sizeof(T);

/// c = start + a · b. Without data, `start` is zero; with row_stride 0 it is one row for all. It
/// may be c. The elements of a row of c lie side by side.
template <class T>
void multiply(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<const T>& start,
              const Matrix<T>& c);
/// The same by these kernels, never by OpenBLAS.
template <class T>
void multiply(const simd::Products<T>& kernels, const Matrix<const T>& a, const Matrix<const T>& b,
              const Matrix<const T>& start, const Matrix<T>& c);

/// At first as GRADUS_PRODUCTS says: "openblas" or "own"; unless it is set, own ones if the
/// processor has AVX2 or AVX-512 or OpenBLAS is not installed. Throws std::runtime_error for other
/// values, and for "openblas" where that is not installed.
bool uses_openblas();
bool has_openblas();
void use_openblas(bool use);

}  // namespace products

/// A right side that many products share, kept in the order in which they read it.
template <class T>
class PackedMatrix {
 public:
  explicit PackedMatrix(const Matrix<const T>& b)
      : PackedMatrix(products::uses_openblas() ? nullptr : &simd::products<T>(), b) {}
  /// For these kernels; without any, b as it is, for OpenBLAS.
  PackedMatrix(const simd::Products<T>* kernels, const Matrix<const T>& b);
  /// c = start + a · b, as products::multiply() computes it.
  void multiply(const Matrix<const T>& a, const Matrix<const T>& start, const Matrix<T>& c) const;

 private:
  const simd::Products<T>* kernels_;
  int64_t inner_, columns_;
  Buffer<T> values_;  // (strips, inner, columns of a strip), or (inner, columns)
};

}  // namespace gradus
