#pragma once

#include <vector>

#include "core/functions/mask.h"
#include "examples/answer/sentences.h"
#include "layers/dense.h"

namespace gradus::answer {

struct ReductionOptions {
  int64_t size = 48;  ///< d
  int64_t hops = 3;   ///< K
};

struct ReductionOutput {
  Tensor logits;              ///< (batch, vocabulary)
  std::vector<Tensor> gates;  ///< z of each hop, (batch, sentences, d), the newest one first
};

/// The query-reduction network (Seo, Min, Farhadi, Hajishirzi 2017, arXiv 1606.04582) with a gate
/// for each unit. At each sentence xᵢ, a hop turns the question into an easier one, or leaves it:
///
///     qᵢ¹ = e(A, q)     zᵢ = σ(W_z (xᵢ ∘ qᵢ) + b_z)     rᵢ = σ(W_r (xᵢ ∘ qᵢ) + b_r)
///     q̃ᵢ = tanh(W_q [xᵢ; qᵢ] + b_q)     hᵢ = zᵢ ∘ rᵢ ∘ q̃ᵢ + (1 − zᵢ) ∘ hᵢ₋₁     h₀ = 0
///     qᵢᵏ⁺¹ = →hᵢ + ←hᵢ     logits = W →hₙᴷ + b
///
/// →h runs from the oldest sentence to the newest one, ←h back, with the same gates: these read no
/// state, so one product computes those of all sentences.
/// story (batch, sentences, vocabulary), the newest sentence first, question (batch, vocabulary),
/// mask (batch, sentences). A (d, vocabulary) starts as N(0, 0.5²), b_z as −2.5: what was found at
/// first stays.
/// Throws Error for a size below 1.
struct ReductionNetwork {
  ReductionNetwork(int64_t vocabulary, const ReductionOptions& options, Generator& generator);

  ReductionOutput operator()(const Bags& story, const Bags& question, const Mask& mask = {}) const;

  struct Hop {
    Dense gates;      ///< z, r
    Dense candidate;  ///< q̃
    void parameters(auto&& visit) {
      visit("gates", gates);
      visit("candidate", candidate);
    }
  };
  Tensor words;  ///< A
  std::vector<Hop> hops;
  Dense answer;

  void parameters(auto&& visit) {
    visit("words", words);
    visit("hops", hops);
    visit("answer", answer);
  }
};

/// How much of what a hop knows in the end it read from each sentence, (batch, hops, sentences):
/// the mean of zᵢ Πⱼ (1 − zⱼ) over its units, where j are the newer sentences.
Tensor looks_of(const ReductionOutput& output);

}  // namespace gradus::answer
