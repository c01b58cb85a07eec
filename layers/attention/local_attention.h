#pragma once

#include "core/functions/mask.h"
#include "layers/attention/tiled_attention.h"

/// Attention whose cost grows linearly with length: the sequence is cut into blocks, and the
/// queries of a block attend only to the blocks beside it. Both forms are an AttendFunction, and
/// neither computes a (queries, keys) matrix of weights. With another `attend`, for instance one of
/// another score, all blocks are one batch for it; it takes at most as many keys as queries and a
/// mask of keys, (…, 1, keys).
namespace gradus {

/// Query i sees the keys i − before … i + after, those of Mask::window (Beltagy, Peters, Cohan
/// 2020, Longformer, section 3.1). A window may extend beyond the sequence: over a short one it is
/// full attention, or causal attention if `after` is 0. Throws Error if one is negative or both are
/// 0.
struct SlidingWindow {
  int64_t before, after;
  AttendFunction attend = {};  ///< within the window; if empty, ScaledDotAttention in tiles

  AttentionOutput operator()(const Tensor& query, const Tensor& keys, const Tensor& values,
                             const Mask& mask = {}, Generator* generator = nullptr) const;
};

struct BlockAttentionOptions {
  bool causal = false;         ///< query i sees no key after i
  bool gradient = true;        ///< whether a block passes one to the block before it
  AttendFunction attend = {};  ///< within two blocks; if empty, ScaledDotAttention in tiles
};

/// Blocks of `length` positions, the links of a chain: each attends to itself and to the block
/// before it. Causal and without gradient into the block before, this is the segment-level
/// recurrence of Transformer-XL (Dai et al. 2019, section 3.2). The last block may be shorter, and
/// a block as long as the sequence attends to all of it. Throws Error for a length below 1.
struct BlockAttention {
  int64_t length;
  BlockAttentionOptions options = {};

  AttentionOutput operator()(const Tensor& query, const Tensor& keys, const Tensor& values,
                             const Mask& mask = {}, Generator* generator = nullptr) const;
};

}  // namespace gradus
