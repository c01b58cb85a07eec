#pragma once

#include <cstdint>

#include "core/kernels/instruction_set.h"

namespace gradus::simd {

/// One row of n hidden units of an LSTM, see layers/recurrent/lstm.h; `gates` holds those of i, f,
/// g and o in turn.
template <class T>
struct LstmKernels {
  void (*cell)(const T* gates, const T* c, T* next_h, T* next_c, int64_t n);
  /// dL/d(gates) and dL/dc from dh = dL/d(next_h) and dc = dL/d(next_c).
  void (*cell_gradient)(const T* gates, const T* c, const T* next_c, const T* dh, const T* dc,
                        T* dgates, T* dc_before, int64_t n);
};

}  // namespace gradus::simd
