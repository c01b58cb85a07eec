#pragma once

#include <functional>
#include <optional>

#include "core/functions/mask.h"
#include "layers/dense.h"

/// Every attention here is softmax(scores) · values. They differ in the score, which is a Score or
/// any function of queries and keys; in the keys that a query sees, by a Mask or a Focus; and in
/// how they are computed, an AttendFunction: as a whole, in tiles
/// (layers/attention/tiled_attention.h) or in blocks (layers/attention/local_attention.h), alone or
/// within each head (layers/attention/multi_head_attention.h).
namespace gradus {

struct AttentionOutput {
  Tensor output;   ///< (…, queries, value size)
  Tensor weights;  ///< (…, queries, keys); rows sum to 1, or to 0 where all keys are ignored
};

/// The last part of every attention, for any scores:
///
///     weights = softmax(scores) over the keys     output = dropout(weights) · values
///
/// scores (…, queries, keys), values (…, keys, size); the mask broadcasts to the scores. Values
/// that no query sees may be NaN. Without a generator nothing is dropped.
AttentionOutput attend(const Tensor& scores, const Tensor& values, const Mask& mask = {},
                       double dropout = 0, Generator* generator = nullptr);

/// An attention without parameters: of queries and keys (…, time, size), values (…, keys, …), a
/// mask that broadcasts to (…, queries, keys), and the generator of dropout. Key j is at position
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

/// Keys and values that a layer's prepare() has projected, (…, keys, size) each. A decoder prepares
/// them once for each sentence, or appends those of each step.
struct KeyValues {
  Tensor keys, values;

  /// Both along the axis of keys, `more` behind these.
  KeyValues operator+(const KeyValues& more) const;
};

/// The score of a query q and a key k:
///
///     dot         q · k                   Luong, Pham, Manning 2015
///     scaled_dot  q · k / √d              Vaswani et al. 2017, equation 1
///     general     qᵀ W k                  Luong, Pham, Manning 2015
///     additive    vᵀ tanh(W_q q + W_k k)  Bahdanau, Cho, Bengio 2015, appendix A.1.2
///     location    (W q)ⱼ                  Luong, Pham, Manning 2015, equation 8: j is k's position
///     own         f(q, k)
enum class Score { dot, scaled_dot, general, additive, location, own };

/// f(q, k) for one query and one key: it reduces their last axis, and the others broadcast.
/// [](const Tensor& q, const Tensor& k) { return -sum((q - k) * (q - k), {-1}); }
using ScoreFunction = std::function<Tensor(const Tensor& q, const Tensor& k)>;

/// The keys that a query sees (Luong, Pham, Manning 2015, section 3.2), among those that the mask
/// attends to: all, or those at p − D … p + D around a position p, where
///
///     local_m  p = i                              the query's own position
///     local_p  p = S · sigmoid(v_pᵀ tanh(W_p q))  with S the number of keys
///
/// and local_p then multiplies the weights, which no longer sum to 1, by (equation 10, σ = D / 2)
///
///     exp(−(j − p)² / 2σ²)
///
/// A window may extend beyond the first or the last key; one that covers all keys is global
/// attention.
enum class Focus { global, local_m, local_p };

struct AttentionOptions {
  int64_t additive_size = 0;  ///< of v; key_size if 0
  int64_t places = 0;         ///< of a location score: the largest number of keys
  Focus focus = Focus::global;
  int64_t window = 10;  ///< D
  double dropout = 0;   ///< of the weights
};

/// Attention of queries to keys and values:
///
///     weights = softmax(score(query, keys))     output = weights · values
///
/// query (…, queries, query_size), keys (…, keys, key_size), values (…, keys, size), with the same
/// leading axes, of which the first is the batch. The mask is one of (batch, time), one of
/// (queries, keys), or has three axes or more, (batch, …, queries, keys), and broadcasts to the
/// weights. The output of a query whose keys are all ignored is zero, and so is its gradient. Keys
/// behind the last one that any query attends to are not computed at all, so more padding changes
/// nothing, not even a bit. Where the mask hides a key or a value from all queries, or all keys
/// from a query, NaN and ∞ give the same output and gradients as zeros; where a sequence attends to
/// itself, `query` and `keys` being one tensor, so do padded queries. Throws Error for sizes that
/// do not fit, for negative options, and for dot scores of query_size ≠ key_size.
struct Attention {
  Attention(Score score, int64_t query_size, int64_t key_size, Generator& generator,
            AttentionOptions options = {});
  /// With any function as its score. Parameters of the function belong to the layer that names
  /// them.
  Attention(ScoreFunction score, int64_t query_size, int64_t key_size, Generator& generator,
            AttentionOptions options = {});

  AttentionOutput operator()(const Tensor& query, const Tensor& keys, const Tensor& values,
                             const Mask& mask = {}, Generator* generator = nullptr) const;

  /// The part that does not depend on the query: W · k for general and additive scores, else the
  /// keys themselves. Keys behind the last one that the mask attends to are left out.
  KeyValues prepare(const Tensor& keys, const Tensor& values, const Mask& mask = {}) const;
  /// The rest. `first_query` is the position of the first query, for local_m.
  AttentionOutput attend(const Tensor& query, const KeyValues& prepared, const Mask& mask = {},
                         int64_t first_query = 0, Generator* generator = nullptr) const;

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
