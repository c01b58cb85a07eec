#pragma once

#include "core/ops/mask.h"
#include "layers/attention/attention.h"

namespace gradus {

struct MultiHeadOptions {
  int64_t key_size = 0, value_size = 0;  ///< of the keys and values that are given; size if 0
  bool bias = true;
  AttendFunction attend = ScaledDotAttention{};  ///< what each head does
};

/// Attention of several heads, of size / H each (Vaswani et al. 2017, section 3.2.2):
///
///     headₕ = attend(W_q,ₕ q, W_k,ₕ k, W_v,ₕ v)     output = W_o [head₁; …; head_H] + b_o
///
/// query (batch, queries, size), keys (batch, keys, key_size), values (batch, keys, value_size) →
/// output (batch, queries, size), weights (batch, heads, queries, keys), or undefined where
/// `attend` forms none. mean(weights, {1}) averages the heads.
/// The mask is (batch, keys), or three or four axes that broadcast to (batch, queries, keys) or
/// (batch, heads, queries, keys). Keys beyond the last one attended to are left out, as in
/// Attention. Weights start as PyTorch's: U(±√(6 / 4 size)) but W_o as a Dense's, biases 0.
/// Throws Error for sizes that do not fit and heads that do not divide the size.
struct MultiHeadAttention {
  MultiHeadAttention(int64_t size, int64_t heads, Generator& generator,
                     MultiHeadOptions options = {});

  AttentionOutput operator()(const Tensor& query, const Tensor& keys, const Tensor& values,
                             const Mask& mask = {}, Generator* dropout = nullptr) const;

  /// W_k k and W_v v, (batch, heads, keys, size / heads). In decoding, the cache: `past = past +
  /// prepare(x, x)` for the newest x (batch, 1, size), then attend(x, past).
  KeyValues prepare(const Tensor& keys, const Tensor& values, const Mask& mask = {}) const;
  AttentionOutput attend(const Tensor& query, const KeyValues& prepared, const Mask& mask = {},
                         Generator* dropout = nullptr) const;

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
