#pragma once

#include <cstdint>

#include "core/kernels/instruction_set.h"

namespace gradus::simd {

/// One row of n hidden units of a GRU, see layers/recurrent/gru.h; `gates` holds x · W_ihᵀ + h ·
/// W_hhᵀ + b of r and of z, and then h · W_hnᵀ + b_hn; x is x · W_inᵀ + b_n.
template <class T>
struct GruKernels {
  void (*cell)(const T* gates, const T* x, const T* h, T* next_h, int64_t n);
  /// dL/d(gates), the same by projected inputs, and the part of dL/dh that does not come by gates,
  /// from dh = dL/d(next_h).
  void (*cell_gradient)(const T* gates, const T* x, const T* h, const T* dh, T* dgates,
                        T* dprojected, T* dh_before, int64_t n);
};

}  // namespace gradus::simd
