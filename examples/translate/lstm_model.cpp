#include "examples/translate/lstm_model.h"

#include "core/functions/dropout.h"
#include "core/functions/index.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/scope.h"
#include "core/tensor/tensor.h"
#include "examples/translate/initial_weights.h"

namespace gradus::translate {

namespace {

std::vector<LSTMCell> make_decoder(const ModelOptions& options, Generator& generator) {
  std::vector<LSTMCell> cells;
  for (int layer = 0; layer < options.layers; ++layer)
    cells.emplace_back(layer == 0 ? options.embedding : options.hidden, options.hidden, generator);
  return cells;
}

using AnyAttention = std::variant<Attention, MultiHeadAttention>;

/// Local attention has the general score, by which Luong et al. found it best.
AnyAttention make_attention(const ModelOptions& o, Generator& generator) {
  auto single = [&](Score score, Focus focus) {
    return Attention(score, o.hidden, o.hidden, generator, {.focus = focus, .window = o.window});
  };
  switch (o.attention) {
    case AttentionKind::dot:
      return single(Score::dot, Focus::global);
    case AttentionKind::scaled:
      return single(Score::scaled_dot, Focus::global);
    case AttentionKind::general:
      return single(Score::general, Focus::global);
    case AttentionKind::additive:
      return single(Score::additive, Focus::global);
    case AttentionKind::local_m:
      return single(Score::general, Focus::local_m);
    case AttentionKind::local_p:
      return single(Score::general, Focus::local_p);
    case AttentionKind::multi_head:
      break;
  }
  return MultiHeadAttention(o.hidden, o.heads, generator);
}

}  // namespace

LSTMModel::LSTMModel(int64_t source_tokens, int64_t target_tokens, const ModelOptions& options,
                     Generator& generator)
    : options(options),
      source_embedding(source_tokens, options.embedding, generator),
      target_embedding(target_tokens, options.embedding, generator),
      encoder(options.embedding, options.bidirectional ? half_of_hidden(options) : options.hidden,
              generator, {options.layers, options.bidirectional, options.dropout}),
      decoder(make_decoder(options, generator)),
      attention(make_attention(options, generator)),
      combine(2 * options.hidden, options.hidden, generator, {.bias = false}),
      output(options.hidden, target_tokens, generator) {
  if (options.input_feeding)
    feeding.emplace(options.hidden, 4 * options.hidden, generator, DenseOptions{.bias = false});
  set_initial_weights(*this, generator);
}

Memory LSTMModel::encode(const PaddedSequences& source, Generator* generator) const {
  const Tensor embedded = dropout(source_embedding(source.ids), options.dropout, generator);
  const LSTMOutput out = encoder(embedded, source.mask, generator);
  Memory memory{source.mask, {}, {}};
  memory.attended.push_back(std::visit(
      [&](const auto& layer) { return layer.prepare(out.output, out.output); }, attention));
  if (!options.bidirectional) {
    memory.states = out.states;
  } else {
    for (size_t i = 0; i < out.states.size(); i += 2)
      memory.states.push_back(both_directions(out.states[i], out.states[i + 1]));
  }
  return memory;
}

DecoderState LSTMModel::first_state(const Memory& memory) const {
  DecoderState state{.states = memory.states};
  if (feeding) state.fed = zeros_like(memory.states[0].h);
  return state;
}

DecoderState LSTMModel::advance(const Tensor& projected, const DecoderState& before,
                                Generator* generator) const {
  DecoderState state{.position = before.position + 1};
  const Tensor gates = feeding ? linear(before.fed, feeding->weight, projected) : projected;
  state.states.push_back(decoder[0].step(gates, before.states[0]));
  for (size_t layer = 1; layer < decoder.size(); ++layer)
    state.states.push_back(decoder[layer](
        dropout(state.states.back().h, options.dropout, generator), before.states[layer]));
  return state;
}

AttentionOutput LSTMModel::attend(const Tensor& top, const Memory& memory, int64_t position) const {
  AttentionOutput context;
  if (const auto* single = std::get_if<Attention>(&attention)) {
    context = single->attend(top, memory.attended[0], memory.mask, position);
  } else {
    context = std::get<MultiHeadAttention>(attention).attend(top, memory.attended[0], memory.mask);
    context.weights = mean(context.weights, {1});
  }
  return {tanh(combine(concat({context.output, top}, -1))), context.weights};
}

Tensor LSTMModel::logits(const Batch& batch, Generator* generator) const {
  const Memory memory = encode(batch.source, generator);
  const Tensor embedded = dropout(target_embedding(batch.target_in), options.dropout, generator);
  const Tensor attended = feeding ? decode_fed(embedded, memory, generator)
                                  : attend(decode(embedded, memory, generator), memory, 0).output;
  return output(dropout(attended, options.dropout, generator));
}

Tensor LSTMModel::decode(const Tensor& embedded, const Memory& memory, Generator* generator) const {
  Tensor h = transpose(embedded, 0, 1);
  for (size_t layer = 0; layer < decoder.size(); ++layer) {
    if (layer > 0) h = dropout(h, options.dropout, generator);
    h = decoder[layer].steps(decoder[layer].project(h), memory.states[layer]).h;
  }
  return transpose(h, 0, 1);
}

Tensor LSTMModel::decode_fed(const Tensor& embedded, const Memory& memory,
                             Generator* generator) const {
  const Tensor projected = decoder[0].project(embedded);
  std::vector<Tensor> steps;
  DecoderState state = first_state(memory);
  for (int64_t t = 0; t < embedded.size(1); ++t) {
    const Scope scope(t);
    state = advance(projected[{all, t}], state, generator);
    state.fed = squeeze(attend(unsqueeze(state.states.back().h, 1), memory, t).output, 1);
    steps.push_back(state.fed);
  }
  return stack(steps, 1);
}

DecoderStep LSTMModel::step(const Tensor& ids, const DecoderState& before,
                            const Memory& memory) const {
  DecoderStep result;
  result.state = advance(decoder[0].project(target_embedding(ids)), before, nullptr);
  const AttentionOutput attended =
      attend(unsqueeze(result.state.states.back().h, 1), memory, before.position);
  const Tensor h = squeeze(attended.output, 1);
  if (feeding) result.state.fed = h;
  result.logits = output(h);
  result.weights = squeeze(attended.weights, 1);
  return result;
}

}  // namespace gradus::translate
