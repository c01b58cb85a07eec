#pragma once

#include "core/ops/mask.h"
#include "layers/attention/tiled_attention.h"

/// Attention whose cost grows linearly with length: the sequence is cut into links, and the queries
/// of a link attend to nothing but the links beside it. Both forms are an AttendFunction, and no
/// (queries, keys) matrix of weights exists. With an `attend` of your own, any score for instance,
/// all links are one batch for it; there are then no more keys than queries, and the mask is one of
/// keys, (…, 1, keys).
namespace gradus {

/// Query i sees the keys i − before … i + after: what Mask::window shows (Beltagy, Peters, Cohan
/// 2020, Longformer, section 3.1). A window that reaches beyond the sequence covers all that is
/// there: over a short sequence it is full attention, or causal with `after` 0. Throws Error unless
/// one of both is at least 1, and for negative ones.
struct SlidingWindow {
  int64_t before, after;
  AttendFunction attend = {};  ///< within the window; ScaledDotAttention in tiles if none

  AttentionOutput operator()(const Tensor& query, const Tensor& keys, const Tensor& values,
                             const Mask& mask = {}, Generator* dropout = nullptr) const;
};

struct BlockAttentionOptions {
  bool causal = false;         ///< query i sees no key after i
  bool gradient = true;        ///< whether the link before gets one from this link
  AttendFunction attend = {};  ///< within two links; ScaledDotAttention in tiles if none
};

/// Links of `length` positions: each attends to itself and to the link before it. Without gradient
/// into the link before, and causal, that is the segment-level recurrence of Transformer-XL (Dai et
/// al. 2019, section 3.2). The last link may be shorter, and one as
/// long as the sequence attends to all of it. Throws Error for a length below 1.
struct BlockAttention {
  int64_t length;
  BlockAttentionOptions options = {};

  AttentionOutput operator()(const Tensor& query, const Tensor& keys, const Tensor& values,
                             const Mask& mask = {}, Generator* dropout = nullptr) const;
};

}  // namespace gradus
