#pragma once

#include <cstdint>

#include "core/scalar.h"

/// Vectorised kernels on contiguous memory. Every element's result is the same wherever it
/// stands and however many follow, and so is a sum's when zeros follow.
namespace gradus::simd {

/// out[i] = f(a[i], b[i], c[i]); operands that f does not take are not read.
template <class T>
using Elementwise = void (*)(const T* a, const T* b, const T* c, T* out, int64_t n);

template <class T>
struct Kernels {
  Elementwise<T> functions[scalar::row_count];
  T (*sum)(const T* x, int64_t n);
  T (*max)(const T* x, int64_t n);                  ///< −∞ for n = 0, NaN where there is one
  void (*add_into)(const T* x, T* out, int64_t n);  ///< out += x
};

/// The kernels for the best instruction set that this processor has.
template <class T>
const Kernels<T>& kernels();

}  // namespace gradus::simd
