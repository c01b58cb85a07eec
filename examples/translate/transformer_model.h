#pragma once

#include "examples/translate/batches.h"
#include "examples/translate/model_state.h"

namespace gradus::translate {

/// Encoder and decoder of attention and feed-forward layers (Vaswani et al. 2017):
///
///     x₀ = √d · embedding + positions          p(yₜ | y₍<ₜ₎, x) = softmax(W_o decoder(y₍<ₜ₎)ₜ + b)
///
/// Layers as in layers/transformer/transformer.h; embeddings start as N(0, 1/d). Weights that are
/// tied to the target embeddings stand there alone.
struct TransformerModel {
  TransformerModel(int64_t source_tokens, int64_t target_tokens, const ModelOptions& options,
                   Generator& generator);

  /// (batch, target time, target vocabulary); without a generator nothing is dropped.
  Tensor logits(const Batch& batch, Generator* generator) const;

  Memory encode(const PaddedSequences& source, Generator* generator) const;
  DecoderState first_state(const Memory& memory) const;
  /// The weights are the mean over layers and heads.
  DecoderStep step(const Tensor& ids, const DecoderState& before, const Memory& memory) const;

  void parameters(auto&& visit) {
    visit("source_embedding", source_embedding);
    visit("target_embedding", target_embedding);
    visit("encoder", encoder);
    visit("decoder", decoder);
    visit("encoder_norm", encoder_norm);
    visit("decoder_norm", decoder_norm);
    visit("output", output);
  }

  ModelOptions options;
  Embedding source_embedding, target_embedding;
  std::vector<TransformerEncoderLayer> encoder;
  std::vector<TransformerDecoderLayer> decoder;
  std::optional<LayerNorm> encoder_norm, decoder_norm;  ///< where layers normalise first
  Dense output;

 private:
  Tensor embed(const Embedding& embedding, const Tensor& ids, int64_t first,
               Generator* generator) const;
  Tensor choices(const Tensor& x) const;
};

}  // namespace gradus::translate
