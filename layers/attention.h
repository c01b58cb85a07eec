#pragma once

#include <optional>

#include "layers/dense.h"

namespace gradus {

/// How well a query q fits a key k:
///   dot         q · k                          Luong, Pham, Manning 2015
///   scaled_dot  q · k / √d                     Vaswani et al. 2017, equation 1
///   general     qᵀ W k                         Luong, Pham, Manning 2015
///   additive    vᵀ tanh(W_q q + W_k k)         Bahdanau, Cho, Bengio 2015, appendix A.1.2
enum class Score { dot, scaled_dot, general, additive };

struct AttentionOutput {
  Tensor output;   ///< (batch, queries, value size)
  Tensor weights;  ///< (batch, queries, keys); rows sum to 1, or to 0 where all keys are ignored
};

/// weights = softmax over the keys of score(query, key); output = weights · values.
/// query (batch, queries, query_size), keys (batch, keys, key_size), values (batch, keys, …).
/// The mask is (batch, keys), or three axes that broadcast to (batch, queries, keys). A query
/// whose keys are all ignored gets zeros and passes no gradient. Keys beyond the last one that any
/// query attends to are not computed at all, so more padding changes nothing, not even a bit.
/// Throws Error for sizes that do not fit, and for dot scores of query_size ≠ key_size.
struct Attention {
  /// `additive_size` is the size of v; key_size if 0.
  Attention(Score score, int64_t query_size, int64_t key_size, Generator& generator,
            int64_t additive_size = 0);

  AttentionOutput operator()(const Tensor& query, const Tensor& keys, const Tensor& values,
                             const Mask& mask = {}) const;

  /// The part of the score that does not depend on the query: W · k for general and additive
  /// scores, else the keys themselves. A decoder computes it once a sentence. Keys beyond the last
  /// one that the mask attends to are left out.
  Tensor prepare(const Tensor& keys, const Mask& mask = {}) const;
  /// The rest, given the values and the mask of all keys.
  AttentionOutput attend(const Tensor& query, const Tensor& prepared_keys, const Tensor& values,
                         const Mask& mask = {}) const;

  Score score;
  int64_t query_size, key_size;
  std::optional<Dense> query, key;  ///< W_q; W or W_k
  Tensor v;                         ///< (additive_size)

  void parameters(auto&& visit) {
    visit("query", query);
    visit("key", key);
    visit("v", v);
  }
};

}  // namespace gradus
