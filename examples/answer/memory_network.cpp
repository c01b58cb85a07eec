#include "examples/answer/memory_network.h"

#include <fmt/format.h>

#include "core/functions/softmax.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"
#include "core/tensor/scope.h"

namespace gradus::answer {

MemoryNetwork::MemoryNetwork(int64_t vocabulary, const MemoryOptions& options, Generator& generator)
    : options(options) {
  const int64_t d = options.size;
  if (vocabulary < 1 || d < 1 || options.hops < 1 || options.memory < 1)
    throw Error(fmt::format(
        "memory_network: expected a vocabulary, a size, hops and a memory of at least 1, got {}, "
        "{}, {}, {}",
        vocabulary, d, options.hops, options.memory));
  const auto normal = [&](const Shape& shape) {
    return random_normal(shape, 0, 0.1, generator).require_grad();
  };
  const bool adjacent = options.tying == Tying::adjacent;
  for (int64_t i = 0; i < (adjacent ? options.hops + 1 : 2); ++i) {
    words.push_back(normal({d, vocabulary}));
    times.push_back(normal({options.memory, d}));
  }
  if (adjacent) return;
  B = normal({d, vocabulary});
  W = normal({vocabulary, d});
  H = normal({d, d});
}

MemoryOutput MemoryNetwork::operator()(const Bags& story, const Bags& question,
                                       const Mask& mask) const {
  const Scope scope(this);
  const int64_t sentences = std::min(story.counts.size(1), options.memory);
  const Bags newest{slice(story.counts, 1, 0, sentences), slice(story.places, 1, 0, sentences)};
  const Mask known = mask.defined() ? mask.first(sentences) : mask;
  std::vector<Tensor> memories;
  for (size_t i = 0; i < words.size(); ++i)
    memories.push_back(encode(newest, words[i], options.position) +
                       slice(times[i], 0, 0, sentences));

  const bool adjacent = options.tying == Tying::adjacent;
  Tensor u = encode(question, adjacent ? words[0] : B, options.position);
  std::vector<Tensor> weights;
  for (size_t hop = 0; hop < static_cast<size_t>(options.hops); ++hop) {
    const Scope step(static_cast<int64_t>(hop));
    const Tensor &m = memories[adjacent ? hop : 0], &c = memories[adjacent ? hop + 1 : 1];
    const Tensor scores = squeeze(matmul(m, unsqueeze(u, -1)), -1);
    const Tensor p = linear ? masked_fill(scores, known, 0) : softmax(scores, -1, known);
    const Tensor o = squeeze(matmul(unsqueeze(p, 1), c), 1);
    u = (adjacent ? u : gradus::linear(u, H)) + o;
    weights.push_back(p);
  }
  return {adjacent ? matmul(u, words.back()) : gradus::linear(u, W), stack(weights, 1)};
}

}  // namespace gradus::answer
