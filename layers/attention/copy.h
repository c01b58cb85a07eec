#pragma once

#include "core/functions/mask.h"
#include "layers/dense.h"

namespace gradus {

/// What a decoder knows at each step when it chooses between writing and copying.
struct CopyInput {
  Tensor features;  ///< x of the gate: context, state, word … (batch, steps, size)
  Tensor logits;    ///< of the V words of the vocabulary (batch, steps, V)
  Tensor weights;   ///< a, the attention to the source (batch, steps, source)
};

/// Writes a word of the vocabulary or copies one of the source (pointer-generator, See, Liu,
/// Manning 2017, equations 8 and 9):
///
///     g = sigmoid(w · x + b)     p(y) = g · softmax(logits)_y + (1 − g) · Σᵢ aᵢ [sᵢ = y]
///
/// s are the words of the source, int64 ids (batch, source) in an extended vocabulary: V, V + 1 …
/// stand for words that are in a source and not in the vocabulary, which therefore can only be
/// copied. Ids from V up may mean another word in each row of the batch. The mask is (batch,
/// source); where it ignores, weights count as 0 and may be NaN.
///
/// Everything is log p. The logarithms of g, 1 − g and softmax are computed from what stands inside
/// them, and the two parts are added by logsumexp, so that neither overflows or vanishes. A sum of
/// weights below 10⁻³⁰, which is often 0, counts as 10⁻³⁰: the weights come as probabilities, of
/// which the smallest have been rounded to 0 before. So the loss of a word that can only be copied
/// is at most 69 above −log(1 − g), and its gradient is finite.
/// Throws Error for sizes that do not fit, and for ids below 0.
struct Copy {
  /// `size` is that of x; w and b start as U(±1/√size).
  Copy(int64_t size, Generator& generator);

  /// log p of all words of the extended vocabulary, of which there are `words`, at least V: (batch,
  /// steps, words). It is the largest tensor that is made. Throws Error for ids from `words` up.
  Tensor operator()(const CopyInput& input, const Tensor& source, int64_t words,
                    const Mask& mask = {}) const;
  /// log p of one word at each step, int64 ids (batch, steps) in the extended vocabulary: what
  /// training needs. The extended vocabulary is not built; the largest tensors are the logits and
  /// the weights. An ONNX export takes the targets for constants, as those of cross_entropy().
  Tensor log_p(const CopyInput& input, const Tensor& source, const Tensor& targets,
               const Mask& mask = {}) const;

  Dense gate;  ///< w, b

  void parameters(auto&& visit) { visit("gate", gate); }
};

}  // namespace gradus
