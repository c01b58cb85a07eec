#include "examples/translate/gnmt_model.h"

#include "core/functions/dropout.h"
#include "core/functions/index.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/tensor/scope.h"
#include "examples/translate/initial_weights.h"

namespace gradus::translate {

namespace {

constexpr size_t first_residual = 2;  // counted from 0

}  // namespace

GNMTModel::GNMTModel(int64_t source_tokens, int64_t target_tokens, const ModelOptions& options,
                     Generator& generator)
    : options(options),
      source_embedding(source_tokens, options.embedding, generator),
      target_embedding(target_tokens, options.embedding, generator),
      attention(Score::additive, options.hidden, options.hidden, generator),
      output(options.hidden, target_tokens, generator) {
  for (int layer = 0; layer < options.layers; ++layer) {
    if (layer == 0)
      encoder.emplace_back(options.embedding, half_of_hidden(options), generator,
                           RecurrentOptions{.bidirectional = true});
    else
      encoder.emplace_back(options.hidden, options.hidden, generator);
    decoder.emplace_back(layer == 0 ? options.embedding : options.hidden, options.hidden,
                         generator);
    context.emplace_back(options.hidden, 4 * options.hidden, generator,
                         DenseOptions{.bias = false});
  }
  set_initial_weights(*this, generator);
}

Memory GNMTModel::encode(const PaddedSequences& source, Generator* generator) const {
  return encode(source_embedding(source.ids), source.mask, generator);
}

Memory GNMTModel::encode(const Tensor& embedded, const Mask& mask, Generator* generator) const {
  Memory memory{mask, {}, {}};
  Tensor h = embedded;
  for (size_t layer = 0; layer < encoder.size(); ++layer) {
    const LSTMOutput out = encoder[layer](dropout(h, options.dropout, generator), mask);
    h = layer < first_residual ? out.output : out.output + h;
    memory.states.push_back(layer == 0 ? both_directions(out.states[0], out.states[1])
                                       : out.states[0]);
  }
  memory.attended.push_back(attention.prepare(h, h, mask));
  return memory;
}

DecoderState GNMTModel::first_state(const Memory& memory) const {
  return {.states = memory.states};
}

AttentionOutput GNMTModel::attend(const Tensor& lowest, const Memory& memory) const {
  const AttentionOutput attended =
      attention.attend(unsqueeze(lowest, 1), memory.attended[0], memory.mask);
  return {squeeze(attended.output, 1), squeeze(attended.weights, 1)};
}

Tensor GNMTModel::logits(const Batch& batch, Generator* generator) const {
  const Memory memory = encode(batch.source, generator);
  return decode(target_embedding(batch.target_in), memory, generator);
}

Tensor GNMTModel::decode(const Tensor& embedded, const Memory& memory, Generator* generator) const {
  const Tensor projected = decoder[0].project(dropout(embedded, options.dropout, generator));
  std::vector<Tensor> lowest, contexts;
  LSTMState state = memory.states[0];
  for (int64_t t = 0; t < embedded.size(1); ++t) {
    const Scope scope(t);
    contexts.push_back(attend(state.h, memory).output);
    state = decoder[0].step(linear(contexts.back(), context[0].weight, projected[{all, t}]), state);
    lowest.push_back(state.h);
  }
  Tensor y = stack(lowest, 0);
  const Tensor a = stack(contexts, 0);
  for (size_t layer = 1; layer < decoder.size(); ++layer) {
    const Tensor gates = linear(a, context[layer].weight,
                                decoder[layer].project(dropout(y, options.dropout, generator)));
    const Tensor h = decoder[layer].steps(gates, memory.states[layer]).h;
    y = layer < first_residual ? h : h + y;
  }
  return output(dropout(transpose(y, 0, 1), options.dropout, generator));
}

DecoderStep GNMTModel::step(const Tensor& ids, const DecoderState& before,
                            const Memory& memory) const {
  DecoderStep result;
  result.state.position = before.position + 1;
  const AttentionOutput a = attend(before.states[0].h, memory);
  Tensor y = target_embedding(ids);
  for (size_t layer = 0; layer < decoder.size(); ++layer) {
    const Tensor gates = linear(a.output, context[layer].weight, decoder[layer].project(y));
    result.state.states.push_back(decoder[layer].step(gates, before.states[layer]));
    const Tensor& h = result.state.states.back().h;
    y = layer < first_residual ? h : h + y;
  }
  result.logits = output(y);
  result.weights = a.weights;
  return result;
}

}  // namespace gradus::translate
