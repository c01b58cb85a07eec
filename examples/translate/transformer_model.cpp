#include "examples/translate/transformer_model.h"

#include <fmt/format.h>

#include <cmath>

#include "core/functions/dropout.h"
#include "core/functions/mask.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"

namespace gradus::translate {

TransformerModel::TransformerModel(int64_t source_tokens, int64_t target_tokens,
                                   const ModelOptions& options, Generator& generator)
    : options(options),
      source_embedding(source_tokens, options.hidden, generator),
      target_embedding(target_tokens, options.hidden, generator),
      output(options.hidden, target_tokens, generator) {
  const TransformerOptions layer{.dropout = options.dropout, .norm_first = options.norm_first};
  for (int i = 0; i < options.layers; ++i) {
    encoder.emplace_back(options.hidden, options.heads, generator, layer);
    decoder.emplace_back(options.hidden, options.heads, generator, layer);
  }
  if (options.norm_first) {
    encoder_norm.emplace(options.hidden);
    decoder_norm.emplace(options.hidden);
  }
  const double deviation = 1 / std::sqrt(static_cast<double>(options.hidden));
  for (Embedding* embedding : {&source_embedding, &target_embedding})
    embedding->weight.assign(random_normal(embedding->weight.shape(), 0, deviation, generator));
  if (options.tied == Tied::no) return;
  output.weight = {};
  if (options.tied == Tied::output) return;
  if (source_tokens != target_tokens)
    throw Error(fmt::format(
        "translate: expected one vocabulary where all embeddings are tied, got {} source tokens "
        "and {} target tokens",
        source_tokens, target_tokens));
  source_embedding.weight = {};
}

Tensor TransformerModel::choices(const Tensor& x) const {
  const Tensor h = decoder_norm ? (*decoder_norm)(x) : x;
  return options.tied == Tied::no ? output(h) : linear(h, target_embedding.weight, output.bias);
}

Tensor TransformerModel::embed(const Embedding& embedding, const Tensor& ids, int64_t first,
                               Generator* generator) const {
  const Tensor words = embedding(ids) * std::sqrt(static_cast<double>(options.hidden));
  return dropout(words + sinusoidal_positions(ids.size(1), options.hidden, first, words.dtype()),
                 options.dropout, generator);
}

Memory TransformerModel::encode(const PaddedSequences& source, Generator* generator) const {
  Memory memory{source.mask, {}, {}};
  Tensor x = embed(options.tied == Tied::all ? target_embedding : source_embedding, source.ids, 0,
                   generator);
  for (const TransformerEncoderLayer& layer : encoder) x = layer(x, memory.mask, generator);
  if (encoder_norm) x = (*encoder_norm)(x);
  for (const TransformerDecoderLayer& layer : decoder)
    memory.attended.push_back(layer.cross.prepare(x, x));
  return memory;
}

DecoderState TransformerModel::first_state(const Memory&) const { return {}; }

Tensor TransformerModel::logits(const Batch& batch, Generator* generator) const {
  const Memory memory = encode(batch.source, generator);
  const int64_t time = batch.target_in.size(1);
  const Mask causal = Mask::causal(time, time);
  Tensor x = embed(target_embedding, batch.target_in, 0, generator);
  for (size_t i = 0; i < decoder.size(); ++i)
    x = decoder[i](x, decoder[i].prepare(x), causal, memory.attended[i], memory.mask, generator)
            .output;
  return choices(x);
}

DecoderStep TransformerModel::step(const Tensor& ids, const DecoderState& before,
                                   const Memory& memory) const {
  DecoderStep result;
  result.state.position = before.position + 1;
  Tensor x = embed(target_embedding, unsqueeze(ids, 1), before.position, nullptr);
  std::vector<Tensor> weights;
  for (size_t i = 0; i < decoder.size(); ++i) {
    const KeyValues newest = decoder[i].prepare(x);
    result.state.past.push_back(before.position == 0 ? newest : before.past[i] + newest);
    const AttentionOutput y =
        decoder[i](x, result.state.past[i], {}, memory.attended[i], memory.mask);
    x = y.output;
    weights.push_back(mean(y.weights, {1, 2}));
  }
  result.logits = choices(squeeze(x, 1));
  result.weights = mean(stack(weights, 0), {0});
  return result;
}

}  // namespace gradus::translate
