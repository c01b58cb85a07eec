#pragma once

#include "layers/attention/attention.h"

namespace gradus {

/// Tells an attention how much each key has been attended to so far (Tu, Lu, Liu, Liu, Li 2016,
/// equations 6 and 8, without fertility). With k the key and s what enters the score:
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
  /// `size` is that of prepared keys, which is one head's in a multi-head attention. u starts as
  /// U(±1/√size). Throws Error for a negative size.
  Coverage(int64_t size, Generator& generator);

  /// keys (batch, …, keys, size), covered (batch, keys) → the keys s, and the values.
  /// Throws Error for other shapes.
  KeyValues operator()(const KeyValues& prepared, const Tensor& covered) const;

  Tensor weight;  ///< u (size)

  void parameters(auto&& visit) { visit("weight", weight); }
};

/// What attends again to what was attended to before (See, Liu, Manning 2017, equation 12), with
/// the weights a of all steps, (batch, steps, keys) → (batch, steps):
///
///     lossₜ = Σⱼ min(aₜⱼ, Cₜ₋₁ⱼ)     C₀ = 0     Cₜ = Cₜ₋₁ + aₜ
///
/// It is 0 in the first step and at most 1. Throws Error for weights of another rank.
Tensor coverage_loss(const Tensor& weights);

}  // namespace gradus
