// Sequences of different lengths: an LSTM learns whether brackets are balanced.
#include <fmt/core.h>

#include "core/autograd/autograd.h"
#include "core/ops/cross_entropy.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "layers/layers.h"
#include "optim/clip.h"
#include "optim/moving_average.h"
#include "optim/optimizer.h"

using namespace gradus;

namespace {

struct Sequence {
  std::vector<int64_t> brackets;  // 1 opens, 2 closes; 0 is padding
  int64_t is_balanced;
};

bool is_balanced(const std::vector<int64_t>& brackets) {
  int depth = 0;
  for (const int64_t bracket : brackets)
    if ((depth += bracket == 1 ? 1 : -1) < 0) return false;
  return depth == 0;
}

/// Up to `pairs` pairs of brackets; in about half of the sequences one bracket is turned round or
/// two are exchanged.
Sequence random_sequence(int64_t pairs, Generator& generator) {
  std::vector<int64_t> brackets;
  int64_t open = 0, left = 1 + generator.below(pairs);
  while (left + open > 0) {
    const bool opens = open == 0 || (left > 0 && generator.below(2) == 0);
    brackets.push_back(opens ? 1 : 2);
    open += opens ? 1 : -1;
    left -= opens ? 1 : 0;
  }
  auto random_place = [&]() -> int64_t& {
    return brackets[static_cast<size_t>(generator.below(std::ssize(brackets)))];
  };
  if (generator.below(4) == 0) {
    int64_t& turned = random_place();
    turned = 3 - turned;
  } else if (generator.below(2) == 0) {
    std::swap(random_place(), random_place());
  }
  return {brackets, is_balanced(brackets)};
}

std::vector<Sequence> random_sequences(int count, int64_t pairs, Generator& generator) {
  std::vector<Sequence> sequences;
  for (int i = 0; i < count; ++i) sequences.push_back(random_sequence(pairs, generator));
  return sequences;
}

struct Classifier {
  Embedding embedding;
  LSTM lstm;
  Dense logits;

  /// (batch, 2)
  Tensor operator()(const PaddedSequences& x) const {
    return logits(lstm(embedding(x.ids), x.lengths).states[0].h);
  }
  void parameters(auto&& visit) {
    visit("embedding", embedding);
    visit("lstm", lstm);
    visit("logits", logits);
  }
};

struct Batch {
  PaddedSequences x;
  Tensor y;
};

/// All sequences in batches of similar length; with a generator in another order at each call.
std::vector<Batch> batches(const std::vector<Sequence>& data, Generator* generator) {
  std::vector<int64_t> lengths;
  for (const Sequence& sequence : data) lengths.push_back(std::ssize(sequence.brackets));
  std::vector<Batch> result;
  for (const auto& indices : batches_by_length(lengths, {.batch_size = 32}, generator)) {
    std::vector<std::vector<int64_t>> x;
    std::vector<int64_t> y;
    for (const int64_t i : indices) {
      x.push_back(data[static_cast<size_t>(i)].brackets);
      y.push_back(data[static_cast<size_t>(i)].is_balanced);
    }
    result.push_back({pad_sequences(x), tensor(y, {std::ssize(y)})});
  }
  return result;
}

/// The share of the sequences that the model judges right, in percent.
double accuracy(const Classifier& model, const std::vector<Sequence>& data) {
  const NoGrad pause;
  double right = 0;
  for (const auto& [x, y] : batches(data, nullptr))
    right += sum(equal(cast(argmax(model(x), 1), DType::float32), cast(y, DType::float32))).item();
  return 100 * right / static_cast<double>(data.size());
}

}  // namespace

int main() {
  Generator generator(1);
  const std::vector<Sequence> train = random_sequences(1000, 12, generator);
  const std::vector<Sequence> test = random_sequences(1000, 12, generator);
  const std::vector<Sequence> longer = random_sequences(1000, 24, generator);

  Classifier model{Embedding(3, 8, generator, 0), LSTM(8, 32, generator), Dense(32, 2, generator)};
  const std::vector<Tensor> weights = parameters(model);
  AdamW adamw(decay_matrices_only(weights), {.learning_rate = 0.01});
  ExponentialMovingAverage average(weights, {.decay = 0.98});
  for (int epoch = 1; epoch <= 8; ++epoch) {
    double loss_sum = 0;
    for (const auto& [x, y] : batches(train, &generator)) {
      const Tensor loss = cross_entropy(model(x), y);
      adamw.zero_grad();
      loss.backward();
      clip_gradients(weights, 1);
      adamw.step();
      average.update();
      loss_sum += loss.item() * static_cast<double>(y.numel());
    }
    fmt::print("epoch {}  loss {:.4f}  right: {:.1f} %", epoch,
               loss_sum / static_cast<double>(train.size()), accuracy(model, test));
    const UseAverages averages(average);
    fmt::print(", with averaged weights {:.1f} %\n", accuracy(model, test));
  }
  const UseAverages averages(average);
  fmt::print("of sequences up to twice as long {:.1f} %\n", accuracy(model, longer));
}
