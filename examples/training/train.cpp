#include "examples/training/train.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <optional>

#include "core/autograd/autograd.h"
#include "core/ops/pointwise.h"
#include "examples/terminal/language.h"
#include "examples/training/checkpoint.h"
#include "examples/training/file_lock.h"
#include "examples/training/memory.h"
#include "optim/clip.h"
#include "optim/data_parallel.h"
#include "optim/schedule.h"

namespace gradus::training {

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Schedule schedule_of(const TrainOptions& options, int64_t steps) {
  const double peak = options.learning_rate;
  if (options.warm_up == 0) return options.decay ? cosine(peak, steps) : constant(peak);
  if (!options.decay) return inverse_square_root(peak, options.warm_up);
  return warm_up(options.warm_up, cosine(peak, std::max<int64_t>(1, steps - options.warm_up)));
}

bool is_finite(const Run& run, const Figures& figures) {
  const auto all_finite = [](auto values) {
    return std::ranges::all_of(values, [](auto x) { return std::isfinite(x); });
  };
  return all_finite(std::span<const double>(figures)) &&
         std::ranges::all_of(run.parameters, [&](const Tensor& parameter) {
           return dispatch_float("train", parameter.dtype(), [&](auto of_type) {
             return all_finite(parameter.span<decltype(of_type)>());
           });
         });
}

/// "valid loss 1.234  BLEU 20.31"
std::string text_of(const std::vector<Figure>& figures, const Figures& values) {
  std::string text;
  for (size_t i = 0; i < figures.size(); ++i)
    text += (i > 0 ? "  " : "") +
            fmt::format(fmt::runtime(terminal::phrase(figures[i].format)), values[i]);
  return text;
}

/// The generator of a shard: another one for each, whichever rank computes it.
Generator generator_of(uint64_t seed, const Position& at, int64_t shard) {
  uint64_t state = seed ^ 0x7368617264732121;
  for (const int64_t number : {at.epoch, at.batch, shard})
    state = Generator(state).next() + static_cast<uint64_t>(number);
  return Generator(Generator(state).next());
}

/// Learns one batch in shards; returns whether some rank asks to stop.
bool learn_in_shards(const Run& run, const TrainOptions& options, DataParallel& parallel, bool stop,
                     Adam& adam, Position& at) {
  const auto total = parallel.step(
      [&](int64_t shard) {
        Generator dropout = generator_of(options.seed, at, shard);
        const BatchLoss loss = run.loss_of_shard(at.batch, {shard, options.shards}, dropout);
        return ShardLoss{loss.sum, loss.items};
      },
      stop);
  clip_gradients(run.parameters, options.clip);
  adam.step();
  at.loss_sum += total.loss;
  at.items += total.items;
  return total.stop;
}

/// Learns one batch.
void learn(const Run& run, int64_t batch, const TrainOptions& options, Adam& adam,
           Generator& dropout, Position& at) {
  adam.zero_grad();
  const BatchLoss loss = run.loss(batch, dropout);
  (loss.sum / static_cast<double>(loss.items)).backward();
  clip_gradients(run.parameters, options.clip);
  adam.step();
  at.loss_sum += loss.sum.item();
  at.items += loss.items;
}

Figures validate(const Run& run) {
  const NoGrad pause;
  Figures figures = run.validate();
  if (figures.size() != run.figures.size())
    throw Error(fmt::format("train: expected {} figures of the validation, got {}",
                            run.figures.size(), figures.size()));
  return figures;
}

/// From its file into the run's tensors.
void read_best(const Run& run, const TrainOptions& options, const Position& at) {
  const TensorFile best = open_model(options.model_path, kind_of(run.about));
  if (at.best != 0 && checksum(best.metadata, best.tensors) != at.best)
    throw Error(fmt::format(
        "{}: was replaced by another program; the best model of this run, epoch {}, is lost: train "
        "again, into another --model",
        options.model_path, at.report.best_epoch().epoch));
  errors_at(options.model_path, [&] { copy_by_name(best.tensors, run.tensors); });
}

}  // namespace

Better lower(size_t figure) {
  return [=](const Figures& a, const Figures& b) { return a.at(figure) < b.at(figure); };
}

Better higher(size_t figure) {
  return [=](const Figures& a, const Figures& b) {
    return a.at(figure) != b.at(figure) ? a.at(figure) > b.at(figure) : a.at(0) < b.at(0);
  };
}

TrainReport train(Run& run, const TrainOptions& options, terminal::Progress& progress,
                  const std::function<bool()>& stop) {
  const bool decays = options.weight_decay > 0;
  Adam adam(
      decays ? decay_matrices_only(run.parameters) : std::vector{ParameterGroup{run.parameters}},
      {.learning_rate = options.learning_rate, .weight_decay = options.weight_decay});
  Generator dropout(options.seed ^ 0x64726f706f757421);
  const bool is_first = is_first_rank();
  std::optional<FileLock> lock;
  if (is_first) lock.emplace(options.model_path);
  Position at;
  Checkpoint checkpoint(run, options, adam, dropout, at);
  checkpoint.check_ranks();
  if (options.resume) checkpoint.resume();
  if (at.best == 0 && is_first) at.best = checksum_of_file(options.model_path);
  std::optional<DataParallel> parallel;
  if (options.shards > 0)
    parallel.emplace(run.parameters, world(), DataParallelOptions{.shards = options.shards});
  TrainReport& report = at.report;

  auto exhausted = [&] {
    return report.best >= 0 && std::ssize(report.epochs) - 1 - report.best >= options.patience;
  };
  auto saved = std::chrono::steady_clock::now();
  while (at.epoch <= options.epochs && !exhausted()) {
    const auto start = std::chrono::steady_clock::now();
    const double seconds_before = at.seconds, training_before = at.training_seconds;
    const int64_t batches = begin_epoch(run, options, at.epoch);
    if (batches == 0) throw Error("train: expected at least one batch in an epoch, got none");
    const Schedule rate = schedule_of(options, options.epochs * batches);
    auto live = [&] {
      const double done = static_cast<double>(at.batch) / static_cast<double>(batches);
      const double left = static_cast<double>(options.epochs - at.epoch + 1) - done;
      return terminal::EpochProgress{static_cast<int>(at.epoch),
                                     options.epochs,
                                     done,
                                     at.loss_sum / static_cast<double>(at.items),
                                     static_cast<double>(at.items) / at.training_seconds,
                                     done > 0 ? at.training_seconds / done * left : 0,
                                     run.item};
    };
    while (at.batch < batches) {
      adam.learning_rate = rate((at.epoch - 1) * batches + at.batch);
      bool is_stopped = false;
      if (parallel)  // all ranks stop after the same batch
        is_stopped = learn_in_shards(run, options, *parallel, stop(), adam, at);
      else
        learn(run, at.batch, options, adam, dropout, at);
      ++at.batch;
      at.training_seconds = training_before + seconds_since(start);
      progress.update(live());
      if (!parallel) is_stopped = stop();
      if (is_stopped || seconds_since(saved) > 60 * options.save_every) {
        at.seconds = seconds_before + seconds_since(start);
        checkpoint.save();
        saved = std::chrono::steady_clock::now();
      }
      if (is_stopped) {
        report.interrupted = true;
        return report;
      }
    }
    if (parallel) parallel->check(fmt::format("after epoch {}", at.epoch));
    const EpochReport epoch{static_cast<int>(at.epoch),
                            at.loss_sum / static_cast<double>(at.items),
                            validate(run),
                            static_cast<double>(at.items) / at.training_seconds,
                            seconds_before + seconds_since(start),
                            peak_memory_mib()};
    progress.finish(live(), text_of(run.figures, epoch.figures));
    report.epochs.push_back(epoch);
    const bool is_best =
        is_finite(run, epoch.figures) &&
        (report.best < 0 || run.better(epoch.figures, report.best_epoch().figures));
    if (is_best) {
      report.best = static_cast<int>(report.epochs.size()) - 1;
      at.earlier = std::exchange(at.best, checksum(run.about, run.tensors));
    }
    at.next_epoch();
    checkpoint.save();
    saved = std::chrono::steady_clock::now();
    if (is_best && is_first) save_tensors(options.model_path, {run.tensors, run.about});
  }
  if (report.epochs.empty()) return report;
  if (report.best < 0)
    throw Error(
        "train: no epoch gave a model with finite parameters and a finite loss on the validation "
        "data; train with a lower --rate or --clip");
  if (is_first) read_best(run, options, at);
  broadcast(world(), values_of(run.tensors));
  return report;
}

}  // namespace gradus::training
