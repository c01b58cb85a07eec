#include "examples/translate/train.h"

#include <fmt/format.h>
#include <sys/resource.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <chrono>
#include <nlohmann/json.hpp>

#include "core/functions/dropout.h"
#include "core/tensor/error.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "optim/training_state.h"

namespace gradus::translate {

namespace {

using nlohmann::json;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

json to_json(const EpochReport& r) {
  return {r.epoch,
          r.train_loss,
          r.valid.loss,
          {r.valid.quality.bleu, r.valid.quality.chrf, r.valid.quality.exact_match},
          r.tokens_per_second,
          r.seconds,
          r.peak_memory_mib};
}

EpochReport report_from(const json& j) {
  return {j.at(0), j.at(1), {j.at(2), {j.at(3).at(0), j.at(3).at(1), j.at(3).at(2)}},
          j.at(4), j.at(5), j.at(6)};
}

/// Where training stands between two batches.
struct Position {
  int64_t epoch = 1, batch = 0, tokens = 0;
  double loss_sum = 0, seconds = 0, training_seconds = 0;  // of this epoch so far
  TrainReport report = {};

  void next_epoch() { *this = {.epoch = epoch + 1, .report = std::move(report)}; }
};

/// The whole state of a run, in one file beside the model.
class Checkpoint {
 public:
  Checkpoint(std::string path, json run, Trained& trained, Adam& adam, Generator& dropout,
             Position& at)
      : path_(std::move(path)),
        run_(std::move(run)),
        trained_(trained),
        report_(at.report),
        state_{{"model", named_tensors(trained.model)},
               {"adam", &adam},
               {"dropout", &dropout},
               {"epoch", &at.epoch},
               {"batch", &at.batch},
               {"tokens", &at.tokens},
               {"loss_sum", &at.loss_sum},
               {"seconds", &at.seconds},
               {"training_seconds", &at.training_seconds}} {}

  void save() const {
    auto metadata = describe(trained_);
    json epochs = json::array();
    for (const EpochReport& r : report_.epochs) epochs.push_back(to_json(r));
    metadata["run"] = run_.dump();
    metadata["report"] = json{{"epochs", epochs}, {"best", report_.best}}.dump();
    save_training_state(path_, state_, metadata);
  }

  void load() {
    TrainReport report;
    load_training_state(path_, state_, [&](const auto& metadata) {
      if (!metadata.contains("run") || !metadata.contains("report"))
        throw Error("not a checkpoint of this translator (it lacks \"run\" or \"report\")");
      try {
        check_run(json::parse(metadata.at("run")));
        const json j = json::parse(metadata.at("report"));
        for (const json& epoch : j.at("epochs")) report.epochs.push_back(report_from(epoch));
        report.best = j.at("best");
      } catch (const json::exception& error) {
        throw Error(error.what());
      }
    });
    report_ = report;
  }

 private:
  void check_run(const json& theirs) const {
    std::string differences;
    for (const auto& [name, value] : run_.items())
      if (theirs.value(name, json()) != value)
        differences += fmt::format("\n  {}: {} in the checkpoint, {} now", name,
                                   theirs.value(name, json()).dump(), value.dump());
    if (!differences.empty())
      throw Error(
          "made with other data or options; resume with the same ones, or start again without "
          "--resume; differences:" +
          differences);
  }

  std::string path_;
  json run_;
  Trained& trained_;
  TrainReport& report_;
  TrainingState state_;
};

/// FNV-1a (Fowler, Noll, Vo 1991).
uint64_t checksum(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return hash;
}

uint64_t checksum(const std::vector<Pair>& pairs) {
  std::string text;
  for (const Pair& pair : pairs) text += pair.source + '\t' + pair.target + '\n';
  return checksum(text);
}

/// Everything that determines the bits of a run, by the names of the command line.
json run_of(const Trained& trained, const std::vector<Pair>& train_pairs,
            const std::vector<Pair>& valid, const TrainOptions& options) {
  const auto described = describe(trained);
  json run = json::parse(described.at("options"));
  run["seed"] = options.seed;
  run["batch"] = options.batch_size;
  run["rate"] = options.learning_rate;
  run["epochs of the decay"] = options.decay ? options.epochs : 0;
  run["warm-up"] = options.warm_up;
  run["clip"] = options.clip;
  run["checksum of the training pairs"] = checksum(train_pairs);
  run["checksum of the validation pairs"] = checksum(valid);
  run["checksum of the source vocabulary"] = checksum(trained.source.to_json());
  run["checksum of the target vocabulary"] = checksum(trained.target.to_json());
  return run;
}

Schedule schedule_of(const TrainOptions& options, int64_t steps) {
  const double peak = options.learning_rate;
  if (options.warm_up == 0) return options.decay ? cosine(peak, steps) : constant(peak);
  if (!options.decay) return inverse_square_root(peak, options.warm_up);
  return warm_up(options.warm_up, cosine(peak, std::max<int64_t>(1, steps - options.warm_up)));
}

bool better(const Evaluation& a, const Evaluation& b) {
  return a.quality.bleu != b.quality.bleu ? a.quality.bleu > b.quality.bleu : a.loss < b.loss;
}

}  // namespace

double peak_memory_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void trim_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

TrainReport train(Trained& trained, const std::vector<Pair>& train_pairs,
                  const std::vector<Pair>& valid, const TrainOptions& options,
                  terminal::Progress& progress, const std::function<bool()>& stop) {
  const std::vector<Batch> batches =
      make_batches(encode(train_pairs, trained.source, trained.target), options.batch_size);
  trim_memory();
  const std::vector<Tensor> weights = parameters(trained.model);
  Adam adam(weights, {.learning_rate = options.learning_rate});
  Generator dropout(options.seed ^ 0x64726f706f757421);
  const Schedule rate = schedule_of(options, options.epochs * std::ssize(batches));
  Position at;
  Checkpoint checkpoint(options.model_path + ".checkpoint",
                        run_of(trained, train_pairs, valid, options), trained, adam, dropout, at);
  if (options.resume) checkpoint.load();
  TrainReport& report = at.report;

  auto exhausted = [&] {
    return report.best >= 0 && std::ssize(report.epochs) - 1 - report.best >= options.patience;
  };
  while (at.epoch <= options.epochs && !exhausted()) {
    const auto start = std::chrono::steady_clock::now();
    const double seconds_before = at.seconds, training_before = at.training_seconds;
    const std::vector<int64_t> order =
        Generator(options.seed * 1'000'003 + static_cast<uint64_t>(at.epoch))
            .permutation(std::ssize(batches));
    auto live = [&] {
      const double done = static_cast<double>(at.batch) / static_cast<double>(batches.size());
      const double left = static_cast<double>(options.epochs - at.epoch + 1) - done;
      return terminal::EpochProgress{static_cast<int>(at.epoch),
                                     options.epochs,
                                     done,
                                     at.loss_sum / static_cast<double>(at.tokens),
                                     static_cast<double>(at.tokens) / at.training_seconds,
                                     done > 0 ? at.training_seconds / done * left : 0};
    };
    while (at.batch < std::ssize(batches)) {
      const int64_t number = order[static_cast<size_t>(at.batch)];
      const Batch& batch = batches[static_cast<size_t>(number)];
      adam.zero_grad();
      adam.learning_rate = rate((at.epoch - 1) * std::ssize(batches) + at.batch);
      const Tensor loss = trained.model.loss(batch, &dropout);
      (loss / static_cast<double>(batch.target_tokens)).backward();
      clip_gradients(weights, options.clip);
      adam.step();
      at.loss_sum += loss.item();
      at.tokens += batch.target_tokens;
      ++at.batch;
      at.training_seconds = training_before + seconds_since(start);
      progress.update(live());
      if (stop()) {
        at.seconds = seconds_before + seconds_since(start);
        checkpoint.save();
        report.interrupted = true;
        return report;
      }
    }
    EpochReport epoch{static_cast<int>(at.epoch),
                      at.loss_sum / static_cast<double>(at.tokens),
                      evaluate(trained, valid),
                      static_cast<double>(at.tokens) / at.training_seconds,
                      seconds_before + seconds_since(start),
                      peak_memory_mib()};
    progress.finish(
        live(), fmt::format("valid loss {:.3f}  BLEU {:.2f}  chrF {:.2f}  exact {:.1f} %",
                            epoch.valid.loss, epoch.valid.quality.bleu, epoch.valid.quality.chrf,
                            epoch.valid.quality.exact_match));
    report.epochs.push_back(epoch);
    if (report.best < 0 ||
        better(epoch.valid, report.epochs[static_cast<size_t>(report.best)].valid)) {
      report.best = static_cast<int>(report.epochs.size()) - 1;
      save(options.model_path, trained);
    }
    at.next_epoch();
    checkpoint.save();
  }
  if (report.best >= 0) trained = load(options.model_path);
  return report;
}

}  // namespace gradus::translate
