#pragma once

#include <algorithm>

#include "core/functions/mask.h"
#include "layers/attention/attention.h"

namespace gradus {

/// The keys that each query sees. With b = ⌊i / block⌋ · block the first position of query i's
/// block, these are b − before … b + block − 1 + after and, if causal, none after i.
///
///     global             {}
///     causal             {.causal = true}, or {.after = 0}
///     sliding window     {.before = n, .after = m}
///     chain of blocks    {.before = n, .after = 0, .block = n}
struct AttentionSpan {
  static constexpr int64_t unlimited = int64_t{1} << 40;
  int64_t before = unlimited, after = unlimited, block = 1;
  bool causal = false;

  int64_t first(int64_t query) const {
    return std::max<int64_t>(0, query / block * block - before);
  }
  int64_t end(int64_t query, int64_t keys) const {
    const int64_t last = query / block * block + block + after;
    return std::clamp<int64_t>(causal ? std::min(last, query + 1) : last, 0, keys);
  }
  /// The same as a mask (queries, keys).
  Mask mask(int64_t queries, int64_t keys) const;
};

/// ScaledDotAttention in tiles, with the running softmax (Rabe & Staats 2021; Dao et al. 2022,
/// algorithms 1 and 4): memory grows linearly with length, time with the number of keys within the
/// span, and no weights are returned. For each tile of keys, with the largest score m and the sum l
/// so far,
///
///     s = q · kᵀ / √d     m' = max(m, max s)     p = exp(s − m')     c = exp(m − m')
///     l' = c · l + Σ p    o' = c · o + p · v     at the end o / l
///
/// and backward p = exp(s − m − log l), ds = p · (g · vᵀ − Σ g · o). Derivatives of derivatives are
/// those of the composed form. Keys and values that the mask hides from all queries may be NaN.
/// Throws Error for shapes that do not fit, for tiles or blocks below 1
/// and for a negative span.
struct TiledAttention {
  AttentionSpan span = {};
  int64_t queries = 128, keys = 256;  ///< of a tile

  AttentionOutput operator()(const Tensor& query, const Tensor& keys, const Tensor& values,
                             const Mask& mask = {}, Generator* generator = nullptr) const;
};

}  // namespace gradus
