#pragma once

#include "layers/attention/attention.h"

namespace gradus {

/// Tells an attention how much each key has been looked at (Tu, Lu, Liu, Liu, Li 2016, equations 6
/// and 8, without fertility), where a key enters the score as s:
///
///     C₀ = 0     Cₜ = Cₜ₋₁ + aₜ     s = W_k k + Cₜ u
///
///     const KeyValues prepared = attention.prepare(keys, values);
///     Tensor covered = zeros({batch, keys});
///     // at every step
///     const AttentionOutput a = attention.attend(query, coverage(prepared, covered), mask);
///     covered = covered + squeeze(a.weights, 1);
///
/// In decoding, a penalty needs no training (Wu et al. 2016; examples/translate/decode.h has it).
struct Coverage {
  /// `size` is that of prepared keys: of a multi-head attention's, one head's. u starts as
  /// U(±1/√size).
  Coverage(int64_t size, Generator& generator);

  /// keys (batch, …, keys, size), covered (batch, keys) → the keys as the score now sees them.
  /// Throws Error for other shapes.
  KeyValues operator()(const KeyValues& prepared, const Tensor& covered) const;

  Tensor weight;  ///< u (size)

  void parameters(auto&& visit) { visit("weight", weight); }
};

}  // namespace gradus
