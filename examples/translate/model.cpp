#include "examples/translate/model.h"

#include <algorithm>

#include "core/functions/cross_entropy.h"
#include "core/functions/reduction.h"
#include "core/functions/softmax.h"
#include "core/ops/movement.h"

namespace gradus::translate {

namespace {

ModelOptions completed(ModelOptions options) {
  if (options.architecture == Architecture::transformer) {
    options.embedding = options.hidden;
    options.attention = AttentionKind::multi_head;
  } else if (options.architecture == Architecture::gnmt) {
    options.bidirectional = true;
    options.attention = AttentionKind::additive;
  }
  return options;
}

using AnyModel = decltype(Translator::model);

AnyModel make(int64_t source_tokens, int64_t target_tokens, const ModelOptions& options,
              Generator& generator) {
  if (options.architecture == Architecture::lstm)
    return LSTMModel(source_tokens, target_tokens, options, generator);
  if (options.architecture == Architecture::gnmt)
    return GNMTModel(source_tokens, target_tokens, options, generator);
  return TransformerModel(source_tokens, target_tokens, options, generator);
}

/// Without the columns that hold only padding, so that more padding changes nothing, also not how
/// the gradients' sums over a batch are grouped.
PaddedSequences trimmed(const PaddedSequences& source) {
  const int64_t longest = std::max<int64_t>(1, source.mask.last());
  if (longest >= source.ids.size(1)) return source;
  return {contiguous(slice(source.ids, 1, 0, longest)), source.mask.first(longest)};
}

Batch trimmed(Batch batch) {
  batch.source = trimmed(batch.source);
  return batch;
}

int64_t dense_count(int64_t in, int64_t out, bool bias = true) {
  return in * out + (bias ? out : 0);
}

int64_t attention_count(const ModelOptions& o) {
  const int64_t square = o.hidden * o.hidden;
  switch (o.attention) {
    case AttentionKind::dot:
    case AttentionKind::scaled:
      return 0;
    case AttentionKind::general:
    case AttentionKind::local_m:
      return square;
    case AttentionKind::additive:
    case AttentionKind::local_p:
      return 2 * square + o.hidden;
    case AttentionKind::multi_head:
      break;
  }
  return 4 * dense_count(o.hidden, o.hidden);
}

int64_t cell_count(int64_t in, int64_t hidden) { return dense_count(in + hidden, 4 * hidden); }

int64_t gnmt_count(const ModelOptions& o) {
  const int64_t above = o.layers - 1, context = dense_count(o.hidden, 4 * o.hidden, false);
  return 2 * cell_count(o.embedding, o.hidden / 2) + cell_count(o.embedding, o.hidden) +
         2 * above * cell_count(o.hidden, o.hidden) + o.layers * context + attention_count(o);
}

int64_t lstm_count(const ModelOptions& o) {
  const int64_t directions = o.bidirectional ? 2 : 1, each = o.hidden / directions;
  const auto cell = cell_count;
  return directions * (cell(o.embedding, each) + (o.layers - 1) * cell(o.hidden, each)) +
         cell(o.embedding, o.hidden) + (o.layers - 1) * cell(o.hidden, o.hidden) +
         (o.input_feeding ? dense_count(o.hidden, 4 * o.hidden, false) : 0) + attention_count(o) +
         dense_count(2 * o.hidden, o.hidden, false);
}

int64_t transformer_count(const ModelOptions& o) {
  const int64_t norm = 2 * o.hidden, attention = 4 * dense_count(o.hidden, o.hidden),
                feed_forward =
                    dense_count(o.hidden, 4 * o.hidden) + dense_count(4 * o.hidden, o.hidden);
  return o.layers * (3 * attention + 2 * feed_forward + 5 * norm) + (o.norm_first ? 2 * norm : 0);
}

}  // namespace

int64_t planned_parameter_count(int64_t source_tokens, int64_t target_tokens,
                                const ModelOptions& options) {
  const ModelOptions o = completed(options);
  const int64_t embedded = target_tokens + (o.tied == Tied::all ? 0 : source_tokens),
                output = dense_count(o.tied == Tied::no ? o.hidden : 0, target_tokens);
  return embedded * o.embedding + output +
         (o.architecture == Architecture::lstm   ? lstm_count(o)
          : o.architecture == Architecture::gnmt ? gnmt_count(o)
                                                 : transformer_count(o));
}

Translator::Translator(int64_t source_tokens, int64_t target_tokens, const ModelOptions& given,
                       Generator& generator)
    : options(completed(given)), model(make(source_tokens, target_tokens, options, generator)) {}

Tensor Translator::loss(const Batch& batch, Generator* generator) const {
  const Batch shorter = trimmed(batch);
  const Tensor logits =
      std::visit([&](const auto& of) { return of.logits(shorter, generator); }, model);
  return cross_entropy(logits, batch.target_out,
                       {.ignored_class = pad_id,
                        .label_smoothing = generator ? options.label_smoothing : 0,
                        .reduction = Reduction::sum});
}

Tensor Translator::log_p(const Batch& batch) const {
  const Batch shorter = trimmed(batch);
  return log_softmax(
      std::visit([&](const auto& of) { return of.logits(shorter, nullptr); }, model));
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
