#include "examples/translate/model.h"

#include "core/ops.h"
#include "core/scope.h"
#include "layers/initialise.h"

namespace gradus::translate {

namespace {

std::vector<LSTMCell> make_decoder(const ModelOptions& options, Generator& generator) {
  std::vector<LSTMCell> cells;
  for (int layer = 0; layer < options.layers; ++layer)
    cells.emplace_back(layer == 0 ? options.embedding : options.hidden, options.hidden, generator);
  return cells;
}

int64_t encoder_hidden(const ModelOptions& options) {
  if (!options.bidirectional) return options.hidden;
  if (options.hidden % 2 != 0)
    throw Error("translate: a bidirectional encoder wants an even hidden size");
  return options.hidden / 2;
}

}  // namespace

Translator::Translator(int64_t source_tokens, int64_t target_tokens, const ModelOptions& options,
                       Generator& generator)
    : options(options),
      source_embedding(source_tokens, options.embedding, generator),
      target_embedding(target_tokens, options.embedding, generator),
      encoder(options.embedding, encoder_hidden(options), generator,
              {options.layers, options.bidirectional, options.dropout}),
      decoder(make_decoder(options, generator)),
      attention(options.score, options.hidden, options.hidden, generator),
      combine(2 * options.hidden, options.hidden, generator, {.bias = false}),
      output(options.hidden, target_tokens, generator) {
  if (options.input_feeding)
    feeding.emplace(options.hidden, 4 * options.hidden, generator, DenseOptions{.bias = false});
  for_each_parameter(*this, [&](const std::string& name, Tensor& parameter) {
    if (parameter.rank() > 1) {
      const double bound = name.ends_with("embedding.weight") ? 0.5 : 0.08;
      parameter.assign(uniform(parameter.shape(), bound, generator));
    } else {
      parameter.assign(zeros(parameter.shape()));
      if (name.starts_with("encoder") || name.starts_with("decoder")) {
        const int64_t hidden = parameter.numel() / 4;  // gates i, f, g, o
        slice(parameter.detach(), 0, hidden, 2 * hidden).assign(ones({hidden}));
      }
    }
  });
}

Memory Translator::encode(const PaddedIds& source, Generator* generator) const {
  const Tensor embedded = dropout(source_embedding(source.ids), options.dropout, generator);
  const LSTMOutput out = encoder(embedded, source.lengths, {}, generator);
  Memory memory{out.output,
                attention.prepare(out.output),
                Mask::lengths(source.lengths, source.ids.size(1)),
                {}};
  if (!options.bidirectional) {
    memory.states = out.states;
  } else {
    for (size_t i = 0; i < out.states.size(); i += 2)
      memory.states.push_back({concat({out.states[i].h, out.states[i + 1].h}, 1),
                               concat({out.states[i].c, out.states[i + 1].c}, 1)});
  }
  return memory;
}

DecoderState Translator::first_state(const Memory& memory) const {
  DecoderState state{memory.states, {}};
  if (feeding) state.fed = zeros_like(memory.states[0].h);
  return state;
}

DecoderState Translator::advance(const Tensor& projected, const DecoderState& before,
                                 Generator* generator) const {
  DecoderState state;
  const Tensor gates = feeding ? linear(before.fed, feeding->weight, projected) : projected;
  state.states.push_back(decoder[0].step(gates, before.states[0]));
  for (size_t layer = 1; layer < decoder.size(); ++layer)
    state.states.push_back(decoder[layer](
        dropout(state.states.back().h, options.dropout, generator), before.states[layer]));
  return state;
}

AttentionOutput Translator::attend(const Tensor& top, const Memory& memory) const {
  const AttentionOutput context =
      attention.attend(top, memory.prepared, memory.encoded, memory.mask);
  return {tanh(combine(concat({context.output, top}, -1))), context.weights};
}

Tensor Translator::loss(const Batch& batch, Generator* generator) const {
  const Memory memory = encode(batch.source, generator);
  const Tensor embedded = dropout(target_embedding(batch.target_in), options.dropout, generator);
  const Tensor projected = decoder[0].project(embedded);
  std::vector<Tensor> steps;
  DecoderState state = first_state(memory);
  for (int64_t t = 0; t < batch.target_in.size(1); ++t) {
    const Scope scope(t);
    state = advance(select_index(projected, 1, t), state, generator);
    if (feeding) {
      state.fed = squeeze(attend(unsqueeze(state.states.back().h, 1), memory).output, 1);
      steps.push_back(state.fed);
    } else {
      steps.push_back(state.states.back().h);
    }
  }
  Tensor attended = stack(steps, 1);
  if (!feeding) attended = attend(attended, memory).output;
  const Tensor logits = output(dropout(attended, options.dropout, generator));
  return cross_entropy(logits, batch.target_out,
                       {.ignored_class = pad_id, .reduction = Reduction::sum});
}

DecoderStep Translator::step(const Tensor& ids, const DecoderState& before,
                             const Memory& memory) const {
  DecoderStep result;
  result.state = advance(decoder[0].project(target_embedding(ids)), before, nullptr);
  const AttentionOutput attended = attend(unsqueeze(result.state.states.back().h, 1), memory);
  const Tensor h = squeeze(attended.output, 1);
  if (feeding) result.state.fed = h;
  result.logits = output(h);
  result.weights = squeeze(attended.weights, 1);
  return result;
}

}  // namespace gradus::translate
