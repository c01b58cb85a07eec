#pragma once

#include <cstdint>

#include "core/kernels/instruction_set.h"
#include "core/kernels/scalar_functions.h"

/// Vectorised kernels on contiguous memory. Every element's result is the same wherever it
/// stands and however many follow, and so is a sum's when zeros follow. Sums are added in an order
/// that depends on n alone, not on the width of the registers: 4096 elements at a time in a fixed
/// number of lanes of type T, and what these give in float64.
namespace gradus::simd {

/// out[i] = f(a[i], b[i], c[i]); operands that f does not take are not read.
template <class T>
using Elementwise = void (*)(const T* a, const T* b, const T* c, T* out, int64_t n);

/// What the elements of a row of a layer norm share.
template <class T>
struct LayerNormRow {
  T scale, offset, slope, mean, rest;
};

template <class T>
struct Kernels {
  Elementwise<T> functions[Functions::size];
  T (*sum)(const T* x, int64_t n);
  T (*max)(const T* x, int64_t n);              ///< −∞ for n = 0, NaN if x holds one
  T (*dot)(const T* a, const T* b, int64_t n);  ///< Σ a · b
  /// d = x − mean, and Σ d and Σ d²
  void (*centre)(const T* x, T mean, T* d, int64_t n, T* sum, T* squares);
  /// Σ a · b and Σ a · b · d with d = x − mean − rest
  void (*sum_products)(const T* a, const T* b, const T* x, T mean, T rest, int64_t n, T* ab,
                       T* abd);
  /// out[j] = Σ over i < rows of x[i · step + j], for j < columns; of at most 128 rows
  void (*sum_rows)(const T* x, int64_t step, int64_t rows, int64_t columns, T* out);
  /// totals[j] += the same of any number of rows, in blocks of 128
  void (*add_rows)(const T* x, int64_t step, int64_t rows, int64_t columns, double* totals);
  void (*add_into)(const T* x, T* out, int64_t n);                   ///< out += x
  void (*exp_shifted)(const T* x, T shift, T* out, int64_t n);       ///< out = exp(x − shift)
  void (*affine)(const T* x, T scale, T offset, T* out, int64_t n);  ///< out = scale · x + offset
  /// out = (a + offset) · b
  void (*shifted_product)(const T* a, T offset, const T* b, T* out, int64_t n);
  /// out = scale · a · b + c
  void (*multiply_add)(const T* a, const T* b, T scale, const T* c, T* out, int64_t n);
  /// out[i] = x[i] · (kept ? scale : 0), kept where the random number i after `state` has first 53
  /// bits of at least `least` (see core/kernels/split_mix.h)
  void (*drop)(const T* x, uint64_t state, uint64_t least, T scale, T* out, int64_t n);
  /// Of each row dx = scale · g · w + offset + slope · d, with the same d; dw += Σ scale · g · d
  /// and db += Σ g over the rows, of n elements, in turn.
  void (*layer_norm_gradients)(const LayerNormRow<T>* by, int64_t rows, const T* g, const T* w,
                               const T* x, T* dx, T* dw, T* db, int64_t n);
};

/// The kernels for the best instruction set that this processor has.
template <class T>
const Kernels<T>& kernels() {
  static const Kernels<T>& chosen = best<Kernels<T>>();
  return chosen;
}

}  // namespace gradus::simd
