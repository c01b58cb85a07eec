#include "examples/summarise/pointer_generator.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/autograd/autograd.h"
#include "core/functions/cross_entropy.h"
#include "core/functions/dropout.h"
#include "core/functions/index.h"
#include "core/functions/softmax.h"
#include "core/ops/movement.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "layers/initialise.h"

namespace gradus::summarise {

using namespace training;

namespace {

int64_t half(int64_t hidden) {
  if (hidden % 2 == 0) return hidden / 2;
  throw Error(fmt::format(
      "expected an even hidden size, half of it for each direction of the encoder, got {}",
      hidden));
}

/// Ids of the vocabulary, with <unk> for others.
Tensor known(const Tensor& ids, int64_t vocabulary) {
  return where(less(ids, vocabulary), ids, unk_id);
}

}  // namespace

PointerGenerator::PointerGenerator(int64_t vocabulary, const PointerOptions& o,
                                   Generator& generator)
    : options(o),
      embedding(vocabulary, o.embedding, generator),
      encoder(o.embedding, half(o.hidden), generator, {.bidirectional = true}),
      decoder(o.embedding, o.hidden, generator),
      attention(Score::additive, o.hidden, o.hidden, generator),
      combine(2 * o.hidden, o.hidden, generator),
      output(o.hidden, vocabulary, generator) {
  embedding.weight.assign(uniform(embedding.weight.shape(), 0.5, generator));
  if (o.coverage) coverage.emplace(o.hidden, generator);
  if (o.copy) copy.emplace(2 * o.hidden + o.embedding, generator);
}

Tensor PointerGenerator::embed(const Tensor& ids) const {
  return embedding(known(ids, embedding.weight.size(0)));
}

PointerGenerator::Memory PointerGenerator::encode(const Batch& batch, Generator* generator) const {
  const PaddedSequences& x = batch.source;
  const LSTMOutput h = encoder(dropout(embed(x.ids), options.dropout, generator), x.mask);
  const LSTMState &ahead = h.states[0], &back = h.states[1];
  return {attention.prepare(h.output, h.output, x.mask),
          x.mask,
          {concat({ahead.h, back.h}, 1), concat({ahead.c, back.c}, 1)},
          zeros(x.ids.shape(), h.output.dtype())};
}

AttentionOutput PointerGenerator::attend(const Tensor& states, Memory& memory) const {
  if (!coverage) return attention.attend(states, memory.prepared, memory.mask);
  std::vector<Tensor> contexts, weights;
  for (int64_t t = 0; t < states.size(1); ++t) {
    const AttentionOutput a = attention.attend(
        slice(states, 1, t, t + 1), (*coverage)(memory.prepared, memory.covered), memory.mask);
    memory.covered = memory.covered + squeeze(a.weights, 1);
    contexts.push_back(a.output), weights.push_back(a.weights);
  }
  return {concat(contexts, 1), concat(weights, 1)};
}

CopyInput PointerGenerator::choices(const Tensor& embedded, const Tensor& states,
                                    const AttentionOutput& attended, Generator* generator) const {
  const Tensor seen = concat({attended.output, states}, -1);
  const Tensor combined = dropout(tanh(combine(seen)), options.dropout, generator);
  return {concat({seen, embedded}, -1), output(combined), attended.weights};
}

Losses PointerGenerator::losses(const Batch& batch, Generator* generator) const {
  Memory memory = encode(batch, generator);
  const Tensor& targets = batch.target.ids;
  const int64_t rows = targets.size(0), vocabulary = output.weight.size(0);
  const Tensor begin = full({rows, 1}, bos_id, DType::int64);
  const Tensor before = concat({begin, slice(targets, 1, 0, targets.size(1) - 1)}, 1);
  const Tensor embedded = dropout(embed(before), options.dropout, generator);
  const Tensor projected = decoder.project(transpose(embedded, 0, 1));
  const Tensor states = transpose(decoder.steps(projected, memory.state).h, 0, 1);
  const CopyInput input = choices(embedded, states, attend(states, memory), generator);
  const Tensor log_p = copy ? copy->log_p(input, batch.source.ids, targets, batch.source.mask)
                            : -cross_entropy(input.logits, known(targets, vocabulary),
                                             {.reduction = Reduction::none});
  Losses losses{-sum(masked_fill(log_p, batch.target.mask, 0)), {}};
  if (coverage)
    losses.coverage = sum(masked_fill(coverage_loss(input.weights), batch.target.mask, 0));
  return losses;
}

std::vector<Summary> PointerGenerator::write(const Batch& batch, int64_t longest) const {
  const NoGrad pause;
  Memory memory = encode(batch, nullptr);
  const int64_t rows = batch.source.ids.size(0), sources = batch.source.ids.size(1);
  std::vector<Summary> summaries(static_cast<size_t>(rows));
  std::vector<int64_t> last(static_cast<size_t>(rows), bos_id);
  const auto ended = [&] { return std::ranges::count(last, eos_id) == rows; };
  for (int64_t t = 0; t < longest && !ended(); ++t) {
    const Tensor embedded = embed(tensor(last, {rows}));
    memory.state = decoder(embedded, memory.state);
    const Tensor state = unsqueeze(memory.state.h, 1);
    const CopyInput input = choices(unsqueeze(embedded, 1), state, attend(state, memory), nullptr);
    const Tensor log_p =
        copy ? (*copy)(input, batch.source.ids, batch.words, batch.source.mask) : input.logits;
    Tensor looked = input.weights;
    if (copy) looked = looked * sigmoid(-copy->gate(input.features));
    const int64_t words = log_p.size(2);
    const std::vector<float> p = log_p.to_vector<float>(), a = looked.to_vector<float>();
    for (int64_t row = 0; row < rows; ++row) {
      if (last[size_t(row)] == eos_id) continue;
      int64_t best = eos_id;
      for (int64_t id = copy ? unk_id + 1 : unk_id; id < words; ++id)
        if (p[size_t(row * words + id)] > p[size_t(row * words + best)]) best = id;
      last[size_t(row)] = best;
      if (best == eos_id) continue;
      summaries[size_t(row)].ids.push_back(best);
      summaries[size_t(row)].looked.emplace_back(a.begin() + row * sources,
                                                 a.begin() + (row + 1) * sources);
    }
  }
  return summaries;
}

}  // namespace gradus::summarise
