// Times training steps on several ranks: mpirun -np 2 build/release/bench_ranks. Prints JSON, which
// ranks.py compares with its model of what they cost.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "core/tensor/threads.h"
#include "examples/terminal/output.h"
#include "examples/training/command_line.h"
#include "examples/translate/batches.h"
#include "examples/translate/model.h"
#include "layers/parameters.h"
#include "optim/clip.h"
#include "optim/data_parallel.h"
#include "optim/optimizer.h"

namespace gradus::bench {

namespace {

using namespace translate;

struct Options {
  int64_t batch = 64, shards = 2, steps = 15, vocabulary = 3000, length = 10;
  ModelOptions model{.embedding = 128, .hidden = 256};
};

double median(std::vector<double> v) {
  std::ranges::sort(v);
  return (v[(v.size() - 1) / 2] + v[v.size() / 2]) / 2;
}

/// Sentences of one length, of tokens drawn evenly.
Batch drawn(int64_t rows, const Options& options, Generator& generator) {
  std::vector<Example> examples(static_cast<size_t>(rows));
  for (Example& example : examples)
    for (auto* side : {&example.source, &example.target})
      for (int64_t t = 0; t < options.length; ++t)
        side->push_back(unk_id + 1 + generator.below(options.vocabulary - unk_id - 1));
  return make_batch(examples);
}

int run(const Options& options) {
  Generator generator(1);
  Translator model(options.vocabulary, options.vocabulary, options.model, generator);
  const std::vector<Tensor> weights = parameters(model);
  Adam adam(weights);
  const ShardTree mine(options.shards, world().size(), world().rank());
  const Batch part = drawn(options.batch / options.shards, options, generator);
  Ranks alone;
  const DataParallelOptions shards{.shards = options.shards, .check_every = 0};
  DataParallelOptions afterwards = shards, computing = shards;
  afterwards.overlap = false;
  computing.shards = mine.end - mine.begin;
  DataParallel overlapped_sums(weights, world(), shards), later_sums(weights, world(), afterwards),
      own_sums(weights, alone, computing);
  const auto time_step = [&](DataParallel& parallel) {
    int64_t all_here = 0;  // so that nobody is waited for
    sum_over_ranks(world(), std::span(&all_here, 1));
    const auto start = std::chrono::steady_clock::now();
    parallel.step([&](int64_t) {
      return ShardLoss{model.loss(part, &generator), part.target_tokens};
    });
    clip_gradients(weights, 5);
    adam.step();
    return 1e3 * std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  std::vector<double> computed, overlapped, later;
  for (int64_t step = -2; step < options.steps; ++step) {
    const double times[] = {time_step(own_sums), time_step(overlapped_sums), time_step(later_sums)};
    if (step < 0) continue;
    computed.push_back(times[0]), overlapped.push_back(times[1]), later.push_back(times[2]);
  }
  int64_t bytes = 0;
  for (const Tensor& weight : weights) bytes += 4 * weight.numel();
  const nlohmann::json result{
      {"ranks", world().size()},       {"shards", options.shards},
      {"batch", options.batch},        {"megabytes", 1e-6 * double(bytes)},
      {"threads", threads()},          {"computing_ms", median(computed)},
      {"step_ms", median(overlapped)}, {"step_without_overlap_ms", median(later)}};
  terminal::say("{}\n", result.dump());
  return 0;
}

}  // namespace

}  // namespace gradus::bench

int main(int argc, char** argv) {
  using namespace gradus::training;
  using gradus::translate::architectures;
  CLI::App app("Times training steps of the translator on several ranks; prints JSON.");
  gradus::bench::Options options;
  app.add_option("--batch", options.batch, "sentences on all ranks");
  app.add_option("--shards", options.shards);
  app.add_option("--steps", options.steps);
  app.add_option("--architecture", options.model.architecture)
      ->transform(CLI::CheckedTransformer(architectures));
  app.add_option("--layers", options.model.layers);
  app.add_option("--embedding", options.model.embedding);
  app.add_option("--hidden", options.model.hidden);
  app.add_option("--vocabulary", options.vocabulary);
  app.add_option("--length", options.length, "tokens per sentence");
  add_threads(&app);
  return run_program("bench_ranks", app, argc, argv, [&] { return gradus::bench::run(options); });
}
