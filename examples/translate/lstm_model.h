#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/random.h"
#include "examples/translate/batches.h"
#include "layers/layers.h"

namespace gradus::translate {

/// The attention scores by the names that users and files give them.
inline const std::map<std::string, Score> scores = {{"dot", Score::dot},
                                                    {"scaled", Score::scaled_dot},
                                                    {"general", Score::general},
                                                    {"additive", Score::additive}};

struct ModelOptions {
  int64_t embedding = 128, hidden = 256;
  int layers = 1;              ///< of the encoder and of the decoder
  bool bidirectional = false;  ///< encoder: two directions of hidden / 2 each
  Score score = Score::general;
  bool input_feeding = true;
  double dropout = 0;  ///< on embeddings, between layers and on the attentional vector
};

/// What the decoder looks back at: one row per source token.
struct Memory {
  Tensor encoded;                 ///< (batch, source time, hidden)
  Tensor prepared;                ///< the encoder's part of the attention scores
  Mask mask;                      ///< (batch, source time): padding takes no part
  std::vector<LSTMState> states;  ///< where the decoder begins, per layer
};

/// Between two steps of the decoder.
struct DecoderState {
  std::vector<LSTMState> states;
  Tensor fed;  ///< h̃ of the step before (zeros at first); undefined without input feeding
};

struct DecoderStep {
  Tensor logits;   ///< (batch, target vocabulary)
  Tensor weights;  ///< (batch, source time)
  DecoderState state;
};

/// Sequence to sequence with global attention (Luong, Pham & Manning 2015):
///
///     h̄ₛ = encoder(x)ₛ          hₜ = decoder([yₜ₋₁; h̃ₜ₋₁], hₜ₋₁)    (input feeding, their 3.3)
///     aₜ = softmaxₛ score(hₜ, h̄ₛ)          cₜ = Σₛ aₜₛ h̄ₛ
///     h̃ₜ = tanh(W_c [cₜ; hₜ])               p(yₜ | y₍<ₜ₎, x) = softmax(W_o h̃ₜ + b)
struct Translator {
  /// Embeddings from U(±0.5), other weights from U(±0.08), biases 0 but 1 for the forget gates
  /// (Sutskever, Vinyals & Le 2014; Jozefowicz, Zaremba & Sutskever 2015). With embeddings as small
  /// as the rest the model learns more slowly, with embeddings from N(0, 1) it overfits sooner.
  Translator(int64_t source_tokens, int64_t target_tokens, const ModelOptions& options,
             Generator& generator);

  /// Σ −log p over the target tokens that are not padding, in nats. `dropout`: see Dropout.
  Tensor loss(const Batch& batch, Generator* dropout = nullptr) const;

  Memory encode(const PaddedIds& source, Generator* dropout = nullptr) const;
  DecoderState first_state(const Memory& memory) const;
  /// One step for the token ids (batch) that came before.
  DecoderStep step(const Tensor& ids, const DecoderState& before, const Memory& memory) const;

  void parameters(auto&& visit) {
    visit("source_embedding", source_embedding);
    visit("target_embedding", target_embedding);
    visit("encoder", encoder);
    visit("decoder", decoder);
    visit("feeding", feeding);
    visit("attention", attention);
    visit("combine", combine);
    visit("output", output);
  }

  ModelOptions options;
  Embedding source_embedding, target_embedding;
  LSTM encoder;
  std::vector<LSTMCell> decoder;
  std::optional<Dense> feeding;  ///< h̃ₜ₋₁ into the gates of the first decoder cell
  Attention attention;
  Dense combine, output;

 private:
  /// h̃ from the decoder's top state: (batch, steps, hidden) → the same, and the weights.
  AttentionOutput attend(const Tensor& top, const Memory& memory) const;
  /// One step of all cells, given the part of the first one's gates that the word decides.
  DecoderState advance(const Tensor& projected, const DecoderState& before,
                       Generator* dropout) const;
};

}  // namespace gradus::translate
