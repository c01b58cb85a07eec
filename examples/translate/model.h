#pragma once

#include <variant>

#include "examples/translate/gnmt_model.h"
#include "examples/translate/lstm_model.h"
#include "examples/translate/transformer_model.h"

namespace gradus::translate {

/// How many numbers the parameters of a Translator would hold, without making it.
int64_t planned_parameter_count(int64_t source_tokens, int64_t target_tokens,
                                const ModelOptions& options);

/// A model of any architecture, for training (`loss`) and for translating (`encode`, `step`).
struct Translator {
  /// Throws Error for options that do not fit each other.
  Translator(int64_t source_tokens, int64_t target_tokens, const ModelOptions& options,
             Generator& generator);

  /// Σ −log p over the target tokens that are not padding, in nats. With a generator it is the loss
  /// of training, with dropout and label smoothing.
  Tensor loss(const Batch& batch, Generator* generator = nullptr) const;
  /// log p of each target token, (batch, target time, target vocabulary).
  Tensor log_p(const Batch& batch) const;

  Memory encode(const PaddedSequences& source) const;
  DecoderState first_state(const Memory& memory) const;
  /// One step from the previous token ids (batch).
  DecoderStep step(const Tensor& ids, const DecoderState& before, const Memory& memory) const;

  void parameters(auto&& visit) {
    std::visit([&](auto& of) { of.parameters(visit); }, model);
  }

  ModelOptions options;
  std::variant<LSTMModel, GNMTModel, TransformerModel> model;
};

}  // namespace gradus::translate
