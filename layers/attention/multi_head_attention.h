#pragma once

#include "core/functions/mask.h"
#include "layers/attention/attention.h"

namespace gradus {

struct MultiHeadOptions {
  int64_t key_size = 0, value_size = 0;  ///< of the input keys and values; `size` if 0
  bool bias = true;
  AttendFunction attend = ScaledDotAttention{};  ///< the attention within each head
};

/// Attention in H heads of size / H each (Vaswani et al. 2017, section 3.2.2):
///
///     headₕ = attend(W_q,ₕ q, W_k,ₕ k, W_v,ₕ v)     output = W_o [head₁; …; head_H] + b_o
///
/// query (batch, queries, size), keys (batch, keys, key_size), values (batch, keys, value_size) →
/// output (batch, queries, size), weights (batch, heads, queries, keys), or undefined if `attend`
/// computes none. mean(weights, {1}) averages over the heads.
/// The mask is one of (batch, time), one of (queries, keys), or has three or four axes that
/// broadcast to (batch, queries, keys) or (batch, heads, queries, keys). Keys behind the last one
/// that is attended to are left out, and hidden ones may be NaN, as in Attention. Parameters start
/// as PyTorch's: W_q, W_k and W_v as U(±√(6 / 4 size)), W_o as a Dense's weight, biases as 0.
/// Throws Error for sizes that do not fit and for heads that do not divide the size.
struct MultiHeadAttention {
  MultiHeadAttention(int64_t size, int64_t heads, Generator& generator,
                     MultiHeadOptions options = {});

  AttentionOutput operator()(const Tensor& query, const Tensor& keys, const Tensor& values,
                             const Mask& mask = {}, Generator* generator = nullptr) const;

  /// W_k k and W_v v, (batch, heads, keys, size / heads). In decoding this is the cache: `past =
  /// past + prepare(x, x)` for the newest x (batch, 1, size), then attend(x, past).
  KeyValues prepare(const Tensor& keys, const Tensor& values, const Mask& mask = {}) const;
  AttentionOutput attend(const Tensor& query, const KeyValues& prepared, const Mask& mask = {},
                         Generator* generator = nullptr) const;

  int64_t heads;
  AttendFunction attend_head;
  Dense query, key, value, output;

  void parameters(auto&& visit) {
    visit("query", query);
    visit("key", key);
    visit("value", value);
    visit("output", output);
  }
};

}  // namespace gradus
