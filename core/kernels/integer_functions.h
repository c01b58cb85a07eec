#pragma once

#include "core/kernels/simd.h"

namespace gradus {

/// The scalar functions (core/kernels/scalar_functions.h) on int64, by their index: modulo 2⁶⁴, so
/// that overflow wraps around; division by 0 gives 0. nullptr for functions whose values are no
/// integers.
const simd::Elementwise<int64_t>* integer_functions();

/// The scalar functions on float, double or int64.
template <class T>
const simd::Elementwise<T>* functions_on() {
  return simd::kernels<T>().functions;
}
template <>
inline const simd::Elementwise<int64_t>* functions_on<int64_t>() {
  return integer_functions();
}

}  // namespace gradus
