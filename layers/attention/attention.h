#pragma once

#include <functional>
#include <optional>

#include "core/ops/mask.h"
#include "layers/dense.h"

/// Every attention here is softmax(scores) · values. What varies is the score, a Score or any
/// function of queries and keys; where it looks, a Mask or a Focus; and how it is computed, an
/// AttendFunction: whole, in tiles (layers/attention/tiled_attention.h) or in links
/// (layers/attention/local_attention.h), alone or within each head
/// (layers/attention/multi_head_attention.h).
namespace gradus {

struct AttentionOutput {
  Tensor output;   ///< (…, queries, value size)
  Tensor weights;  ///< (…, queries, keys); rows sum to 1, or to 0 where all keys are ignored
};

/// weights = softmax(scores) over the keys; output = dropout(weights) · values: what every score
/// ends in, one of your own too. scores (…, queries, keys), values (…, keys, size); the mask
/// broadcasts to the scores. Without a generator nothing is dropped.
AttentionOutput attend(const Tensor& scores, const Tensor& values, const Mask& mask = {},
                       double dropout = 0, Generator* generator = nullptr);

/// A way to attend without parameters: queries and keys (…, time, size), values (…, keys, …), a
/// mask that broadcasts to (…, queries, keys), the generator of dropout. Key j stands at position
/// j, query i at position i.
using AttendFunction = std::function<AttentionOutput(const Tensor&, const Tensor&, const Tensor&,
                                                     const Mask&, Generator*)>;

/// Scaled dot-product attention (Vaswani et al. 2017, equation 1):
///
///     output = softmax(q · kᵀ / √d) · v
struct ScaledDotAttention {
  double dropout = 0;  ///< of the weights

  AttentionOutput operator()(const Tensor& query, const Tensor& keys, const Tensor& values,
                             const Mask& mask = {}, Generator* generator = nullptr) const;
};

/// What queries look at, as a layer's prepare() made it: (…, keys, size) each. A decoder prepares
/// it once a sentence, or lets it grow a step at a time.
struct KeyValues {
  Tensor keys, values;

  /// These and then those.
  KeyValues operator+(const KeyValues& more) const;
};

/// How well a query q fits a key k:
///
///     dot         q · k                   Luong, Pham, Manning 2015
///     scaled_dot  q · k / √d              Vaswani et al. 2017, equation 1
///     general     qᵀ W k                  Luong, Pham, Manning 2015
///     additive    vᵀ tanh(W_q q + W_k k)  Bahdanau, Cho, Bengio 2015, appendix A.1.2
///     location    (W q)ⱼ                  Luong, Pham, Manning 2015, equation 8: the key's place j
///     own         f(q, k)
enum class Score { dot, scaled_dot, general, additive, location, own };

/// f(q, k), written as for one query and one key: their last axis goes, those before it broadcast.
/// [](const Tensor& q, const Tensor& k) { return -sum((q - k) * (q - k), {-1}); }
using ScoreFunction = std::function<Tensor(const Tensor& q, const Tensor& k)>;

/// Where a query looks (Luong, Pham, Manning 2015, section 3.2), among the keys that the mask
/// attends to: everywhere, or at p − D … p + D around a place p, where
///
///     local_m  p = i                              the query's own position
///     local_p  p = S · sigmoid(v_pᵀ tanh(W_p q))  with S the number of keys
///
/// and local_p then multiplies the weights, which no longer sum to 1, by (equation 10, σ = D / 2)
///
///     exp(−(j − p)² / 2σ²)
///
/// Where the window reaches beyond the first or the last key, it covers what is there: one that
/// covers all keys is global attention.
enum class Focus { global, local_m, local_p };

struct AttentionOptions {
  int64_t additive_size = 0;  ///< of v; key_size if 0
  int64_t places = 0;         ///< location: how many keys there may be
  Focus focus = Focus::global;
  int64_t window = 10;  ///< D
  double dropout = 0;   ///< of the weights
};

/// What queries find among keys that fit them:
///
///     weights = softmax(score(query, keys))     output = weights · values
///
/// query (…, queries, query_size), keys (…, keys, key_size), values (…, keys, size), with the same
/// axes in front, at least one: the batch. The mask is (batch, keys), or as many axes as the
/// weights have, broadcasting to them. A query whose keys are all ignored gets zeros and passes no
/// gradient. Keys beyond the last one that any query attends to are not computed at all, so more
/// padding changes nothing, not even a bit.
/// Throws Error for sizes that do not fit, and for dot scores of query_size ≠ key_size.
struct Attention {
  Attention(Score score, int64_t query_size, int64_t key_size, Generator& generator,
            AttentionOptions options = {});
  /// With a score of your own. Parameters that it uses belong to the layer that names them.
  Attention(ScoreFunction score, int64_t query_size, int64_t key_size, Generator& generator,
            AttentionOptions options = {});

  AttentionOutput operator()(const Tensor& query, const Tensor& keys, const Tensor& values,
                             const Mask& mask = {}, Generator* dropout = nullptr) const;

  /// The part that does not depend on the query: W · k for general and additive scores, else the
  /// keys themselves. Keys beyond the last one that the mask attends to are left out.
  KeyValues prepare(const Tensor& keys, const Tensor& values, const Mask& mask = {}) const;
  /// The rest. `first_query` is the position of the first query, which local_m asks for.
  AttentionOutput attend(const Tensor& query, const KeyValues& prepared, const Mask& mask = {},
                         int64_t first_query = 0, Generator* dropout = nullptr) const;

  Score score;
  ScoreFunction own;
  int64_t query_size, key_size;
  AttentionOptions options;
  std::optional<Dense> query, key;  ///< W_q or the W of location; W or W_k
  Tensor v;                         ///< (additive_size)
  std::optional<Dense> position;    ///< W_p
  Tensor position_v;                ///< v_p (query_size)

  void parameters(auto&& visit) {
    visit("query", query);
    visit("key", key);
    visit("v", v);
    visit("position", position);
    visit("position_v", position_v);
  }
};

}  // namespace gradus
