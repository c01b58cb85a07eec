#pragma once

#include <cstdint>

#include "core/kernels/instruction_set.h"

namespace gradus::simd {

/// What a tile of scores goes through, see layers/attention/tiled_attention.h. Of each of its rows,
/// `columns` numbers, `sums` holds m and l.
template <class T>
struct AttentionKernels {
  /// s ← exp(s − m′) and c ← exp(m − m′) for m′ = max(m, max s); then m ← m′, l ← c · l + Σ s.
  void (*softmax)(T* s, int64_t rows, int64_t columns, T* sums, T* c);
  /// s ← p = exp(s − m) / l and dp ← p · (dp − d)
  void (*softmax_gradient)(T* s, T* dp, int64_t rows, int64_t columns, const T* sums, const T* d);
};

}  // namespace gradus::simd
