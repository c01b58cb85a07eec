#pragma once

#include "layers/attention.h"

namespace gradus {

/// ScaledDotAttention in tiles, with the running softmax (Rabe & Staats 2021; Dao et al. 2022,
/// algorithms 1 and 4): memory grows linearly with length, and no weights come back. For each
/// tile of keys, with the largest score m and the sum l so far,
///
///     s = q · kᵀ / √d     m' = max(m, max s)     p = exp(s − m')     c = exp(m − m')
///     l' = c · l + Σ p    o' = c · o + p · v     and at the end o / l
///
/// and backward p = exp(s − m − log l), ds = p · (g · vᵀ − Σ g · o). Derivatives of derivatives are
/// those of the composed form.
struct TiledAttention {
  bool causal = false;                ///< query i sees the keys 0 … i
  int64_t queries = 128, keys = 256;  ///< of a tile

  AttentionOutput operator()(const Tensor& query, const Tensor& keys, const Tensor& values,
                             const Mask& mask = {}, Generator* dropout = nullptr) const;
};

}  // namespace gradus
