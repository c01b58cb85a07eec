#include "examples/translate/model.h"

#include <algorithm>

#include "core/ops/cross_entropy.h"
#include "core/ops/movement.h"
#include "core/ops/reduction.h"

namespace gradus::translate {

namespace {

ModelOptions completed(ModelOptions options) {
  if (options.architecture == Architecture::transformer) {
    options.embedding = options.hidden;
    options.attention = AttentionKind::multi_head;
  }
  return options;
}

std::variant<LSTMModel, TransformerModel> make(int64_t source_tokens, int64_t target_tokens,
                                               const ModelOptions& options, Generator& generator) {
  if (options.architecture == Architecture::lstm)
    return LSTMModel(source_tokens, target_tokens, options, generator);
  return TransformerModel(source_tokens, target_tokens, options, generator);
}

/// Without the columns that hold only padding, so that more padding changes nothing.
PaddedSequences trimmed(const PaddedSequences& source) {
  if (source.lengths.empty()) return source;
  const int64_t longest = std::max<int64_t>(1, std::ranges::max(source.lengths));
  if (longest >= source.ids.size(1)) return source;
  return {contiguous(slice(source.ids, 1, 0, longest)), source.lengths};
}

}  // namespace

Translator::Translator(int64_t source_tokens, int64_t target_tokens, const ModelOptions& given,
                       Generator& generator)
    : options(completed(given)), model(make(source_tokens, target_tokens, options, generator)) {}

Tensor Translator::loss(const Batch& batch, Generator* training) const {
  Batch shorter = batch;
  shorter.source = trimmed(batch.source);
  const Tensor logits =
      std::visit([&](const auto& of) { return of.logits(shorter, training); }, model);
  return cross_entropy(logits, batch.target_out,
                       {.ignored_class = pad_id,
                        .label_smoothing = training ? options.label_smoothing : 0,
                        .reduction = Reduction::sum});
}

Memory Translator::encode(const PaddedSequences& source) const {
  return std::visit([&](const auto& of) { return of.encode(trimmed(source), nullptr); }, model);
}

DecoderState Translator::first_state(const Memory& memory) const {
  return std::visit([&](const auto& of) { return of.first_state(memory); }, model);
}

DecoderStep Translator::step(const Tensor& ids, const DecoderState& before,
                             const Memory& memory) const {
  return std::visit([&](const auto& of) { return of.step(ids, before, memory); }, model);
}

}  // namespace gradus::translate
