#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <string>

#include "core/functions/dropout.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "examples/training/train.h"
#include "layers/dense.h"

/// The smallest task that there is to train: a straight line.
namespace gradus::testing {

using namespace training;

struct Line {
  Dense dense;
  void parameters(auto&& visit) { visit("dense", dense); }
};

inline Line untrained(uint64_t seed = 1) {
  Generator generator(seed);
  return {Dense(2, 1, generator)};
}

/// Learns y = x₀ − 2x₁ from 20 batches of three points, drawn anew in each epoch.
inline Task<Line, Tensor> line_task() {
  return {
      .about = description("straight line", {{"inputs", 2}}),
      .data = {{"points", 17}},
      .batches =
          [](Generator& generator) {
            std::vector<Tensor> batches;
            for (int i = 0; i < 20; ++i)
              batches.push_back(random_uniform({3, 2}, -1, 1, generator));
            return batches;
          },
      .loss =
          [](Line& line, const Tensor& x, Generator* generator) {
            const Tensor seen = generator ? dropout(x, 0.1, generator) : x;
            const Tensor wanted = sum(x * tensor({1, -2}), {1}, true);
            const Tensor error = line.dense(seen) - wanted;
            return BatchLoss{sum(error * error), 3};
          },
      .validate =
          [](Line& line) { return Figures{std::abs(line.dense.weight.span<float>()[0] - 1.0)}; }};
}

inline bool never() { return false; }

/// A stop that is asked for after `count` batches.
inline std::function<bool()> after(int count) {
  return [left = count]() mutable { return --left == 0; };
}

/// Trains without a word.
inline TrainReport quietly(Line& line, const TrainOptions& options,
                           const std::function<bool()>& stop = never,
                           const Task<Line, Tensor>& task = line_task()) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> nowhere(std::fopen("/dev/null", "w"),
                                                                std::fclose);
  terminal::Progress progress(nowhere.get(), false);
  return train(line, task, options, progress, stop);
}

inline std::string error_of(auto&& f) {
  try {
    f();
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

inline TrainOptions three_epochs(const std::string& model_path) {
  return {.epochs = 3, .batch_size = 3, .learning_rate = 0.05, .model_path = model_path};
}

}  // namespace gradus::testing
