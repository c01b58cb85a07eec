#pragma once

#include <cstdint>

#include "core/kernels/instruction_set.h"

namespace gradus::simd {

/// One update by Adam, see optim/optimizer.h, where rest is 1 − beta, rounded once:
///   g ← g + pull · p,   m ← beta1 · m + rest1 · g,   v ← beta2 · v + rest2 · g²
///   p ← shrink · p − stride · m / (√v · inverse_root + epsilon)
template <class T>
struct AdamStep {
  T pull, beta1, beta2, rest1, rest2, shrink, stride, inverse_root, epsilon;
};

template <class T>
struct AdamKernel {
  void (*update)(const AdamStep<T>& step, const T* g, T* p, T* m, T* v, int64_t n);
};

}  // namespace gradus::simd
