#pragma once

#include <vector>

#include "core/functions/mask.h"
#include "core/tensor/random.h"
#include "examples/answer/sentences.h"

namespace gradus::answer {

/// adjacent: A of a hop is C of the hop before, B = A¹ and W = Cᵀ of the last hop.
/// layer_wise: all hops share A and C, and u goes through a matrix H between them.
enum class Tying { adjacent, layer_wise };

struct MemoryOptions {
  int64_t size = 32;    ///< d
  int64_t hops = 3;     ///< K
  int64_t memory = 50;  ///< sentences that it remembers, the newest ones
  Tying tying = Tying::adjacent;
  bool position = true;  ///< position encoding; without it, the order of words does not count
};

struct MemoryOutput {
  Tensor logits;   ///< (batch, vocabulary)
  Tensor weights;  ///< p of each hop, (batch, hops, sentences that it remembers)
};

/// How much each hop looked at each sentence, (batch, hops, sentences).
inline Tensor looks_of(const MemoryOutput& output) { return output.weights; }

/// The end-to-end memory network (Sukhbaatar, Szlam, Weston, Fergus 2015, arXiv 1503.08895). With
/// xᵢ the sentences of a story, the newest one first, and q the question, encoded by e(A, x):
///
///     u¹ = e(B, q)     mᵢ = e(Aᵏ, xᵢ) + T_Aᵏ(i)     cᵢ = e(Cᵏ, xᵢ) + T_Cᵏ(i)
///     p = softmax(mᵢᵀ u)     o = Σ pᵢ cᵢ     uᵏ⁺¹ = uᵏ + o, or H uᵏ + o
///     logits = W uᴷ⁺¹
///
/// In a linear start, p = mᵀu.
/// story (batch, sentences, vocabulary), of which the newest `memory` sentences are remembered,
/// question (batch, vocabulary), mask (batch, sentences). The matrices are (d, vocabulary), T
/// (memory, d); all start as N(0, 0.1²).
/// Throws Error for a size below 1.
struct MemoryNetwork {
  MemoryNetwork(int64_t vocabulary, const MemoryOptions& options, Generator& generator);

  MemoryOutput operator()(const Bags& story, const Bags& question, const Mask& mask = {}) const;

  MemoryOptions options;
  bool linear = false;        ///< linear start: without the softmax
  std::vector<Tensor> words;  ///< adjacent: A¹, C¹ … Cᴷ; layer-wise: A, C
  std::vector<Tensor> times;  ///< T of each of these
  Tensor B, W, H;             ///< layer-wise; W is (vocabulary, d), H (d, d)

  void parameters(auto&& visit) {
    visit("words", words);
    visit("times", times);
    visit("B", B);
    visit("W", W);
    visit("H", H);
  }
};

}  // namespace gradus::answer
