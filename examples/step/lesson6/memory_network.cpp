#include "examples/answer/memory_network.h"

#include "core/functions/cross_entropy.h"
#include "core/ops/movement.h"
#include "examples/step/lessons.h"
#include "layers/parameters.h"

namespace gradus::step {

namespace {

enum Word { book, Emma, Ben, library, garden, vocabulary };  // the others say nothing here

/// Each of these words as a feature of its own, the others as nothing.
Tensor features(const std::vector<Word>& words) {
  Tensor matrix = zeros({vocabulary, vocabulary});
  for (const Word word : words) matrix.mutable_data<float>()[word * vocabulary + word] = 2;
  return matrix;
}

/// (1, sentences, vocabulary). Without position encoding it does not matter where a word stands.
answer::Bags bags(const std::vector<std::vector<Word>>& sentences) {
  Tensor counts = zeros({1, std::ssize(sentences), vocabulary});
  float* count = counts.mutable_data<float>();
  for (const auto& sentence : sentences) {
    for (const Word word : sentence) count[word] += 1;
    count += vocabulary;
  }
  return {counts, zeros(counts.shape())};
}

}  // namespace

Trace memory_network() {
  Generator generator(1);
  answer::MemoryNetwork network(
      vocabulary, {.size = vocabulary, .hops = 2, .memory = 3, .position = false}, generator);
  const std::vector<std::vector<Word>> known{{book}, {Emma, Ben}, {library, garden}};
  for (size_t i = 0; i < known.size(); ++i) {
    network.words[i] = features(known[i]).require_grad();
    network.times[i] = zeros(network.times[i].shape()).require_grad();
  }
  const answer::Bags story = bags({{Emma, book}, {Ben, garden}, {Emma, library}});
  const answer::Bags asked = bags({{book}});

  Trace trace;
  {
    const auto recording = trace.record(layer_names(network));
    const answer::Bags question{squeeze(asked.counts, 1), squeeze(asked.places, 1)};
    const auto output = network(story, question);
    const Tensor loss = cross_entropy(output.logits, tensor(std::vector<int64_t>{library}, {1}));
    loss.backward();
  }
  trace.queries = {said("hop {}", 1), said("hop {}", 2)};
  trace.keys = {"Emma book", "Ben garden", "Emma library"};
  return trace;
}

}  // namespace gradus::step
