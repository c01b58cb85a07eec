#pragma once

#include "examples/translate/batches.h"
#include "examples/translate/model_state.h"

namespace gradus::translate {

/// Google's translator (Wu et al. 2016, sections 3 and 3.1, figure 1), with as many layers as a CPU
/// carries. The encoder's first layer reads in both directions, the others in one:
///
///     h¹ = BiLSTM(x)     hⁱ = LSTMⁱ(hⁱ⁻¹)     hⁱ = LSTMⁱ(hⁱ⁻¹) + hⁱ⁻¹ from i = 3 on
///
/// The lowest decoder layer attends, and all layers see what it has attended to:
///
///     aₜ = Σₛ softmaxₛ(vᵀ tanh(W_q y¹ₜ₋₁ + W_k hᴸₛ)) hᴸₛ
///     y¹ₜ = LSTM([yₜ₋₁; aₜ])     yⁱₜ = LSTMⁱ([yⁱ⁻¹ₜ; aₜ]) (+ yⁱ⁻¹ₜ from i = 3 on)
///     p(yₜ | y₍<ₜ₎, x) = softmax(W_o yᴸₜ + b)
///
/// Each decoder layer starts with the last state of its encoder layer. So only the lowest layer
/// goes step by step in training; the others do all steps at once.
struct GNMTModel {
  /// Weights start as initial_weights.h has it. Throws Error for an odd hidden size.
  GNMTModel(int64_t source_tokens, int64_t target_tokens, const ModelOptions& options,
            Generator& generator);

  /// (batch, target time, target vocabulary); without a generator nothing is dropped.
  Tensor logits(const Batch& batch, Generator* generator) const;

  Memory encode(const PaddedSequences& source, Generator* generator) const;
  DecoderState first_state(const Memory& memory) const;
  DecoderStep step(const Tensor& ids, const DecoderState& before, const Memory& memory) const;

  /// The two halves on vectors in the place of words: (batch, time, embedding).
  Memory encode(const Tensor& embedded, const Mask& mask, Generator* generator) const;
  Tensor decode(const Tensor& embedded, const Memory& memory, Generator* generator) const;

  void parameters(auto&& visit) {
    visit("source_embedding", source_embedding);
    visit("target_embedding", target_embedding);
    visit("encoder", encoder);
    visit("decoder", decoder);
    visit("context", context);
    visit("attention", attention);
    visit("output", output);
  }

  ModelOptions options;
  Embedding source_embedding, target_embedding;
  std::vector<LSTM> encoder;  ///< of a layer each
  std::vector<LSTMCell> decoder;
  std::vector<Dense> context;  ///< aₜ into the gates of each decoder layer
  Attention attention;
  Dense output;

 private:
  AttentionOutput attend(const Tensor& lowest, const Memory& memory) const;
};

}  // namespace gradus::translate
