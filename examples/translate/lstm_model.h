#pragma once

#include <optional>
#include <variant>

#include "examples/translate/batches.h"
#include "examples/translate/model_state.h"

namespace gradus::translate {

/// Sequence to sequence with attention (Luong, Pham & Manning 2015):
///
///     h̄ₛ = encoder(x)ₛ          hₜ = decoder([yₜ₋₁; h̃ₜ₋₁], hₜ₋₁)    (input feeding, their 3.3)
///     aₜ = softmaxₛ score(hₜ, h̄ₛ)          cₜ = Σₛ aₜₛ h̄ₛ
///     h̃ₜ = tanh(W_c [cₜ; hₜ])               p(yₜ | y₍<ₜ₎, x) = softmax(W_o h̃ₜ + b)
struct LSTMModel {
  /// Weights start as initial_weights.h has it.
  LSTMModel(int64_t source_tokens, int64_t target_tokens, const ModelOptions& options,
            Generator& generator);

  /// (batch, target time, target vocabulary); without a generator nothing is dropped.
  Tensor logits(const Batch& batch, Generator* generator) const;

  Memory encode(const PaddedSequences& source, Generator* generator) const;
  DecoderState first_state(const Memory& memory) const;
  DecoderStep step(const Tensor& ids, const DecoderState& before, const Memory& memory) const;

  void parameters(auto&& visit) {
    visit("source_embedding", source_embedding);
    visit("target_embedding", target_embedding);
    visit("encoder", encoder);
    visit("decoder", decoder);
    visit("feeding", feeding);
    std::visit([&](auto& layer) { visit("attention", layer); }, attention);
    visit("combine", combine);
    visit("output", output);
  }

  ModelOptions options;
  Embedding source_embedding, target_embedding;
  LSTM encoder;
  std::vector<LSTMCell> decoder;
  std::optional<Dense> feeding;  ///< h̃ₜ₋₁ into the gates of the first decoder cell
  std::variant<Attention, MultiHeadAttention> attention;
  Dense combine, output;

 private:
  /// h̃ from the decoder's top state: (batch, steps, hidden) → the same, and the weights.
  AttentionOutput attend(const Tensor& top, const Memory& memory, int64_t position) const;
  /// The decoder's top states for all words, (batch, steps, hidden), and with input feeding h̃.
  Tensor decode(const Tensor& embedded, const Memory& memory, Generator* generator) const;
  Tensor decode_fed(const Tensor& embedded, const Memory& memory, Generator* generator) const;
  /// One step of all cells; `projected` is the word's part of the first cell's gates.
  DecoderState advance(const Tensor& projected, const DecoderState& before,
                       Generator* generator) const;
};

}  // namespace gradus::translate
