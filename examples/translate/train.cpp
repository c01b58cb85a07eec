#include "examples/translate/train.h"

#include <fmt/format.h>
#include <sys/resource.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/files/json_check.h"
#include "core/functions/dropout.h"
#include "core/tensor/error.h"
#include "examples/translate/file_lock.h"
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

/// JSON has no infinities and no NaN: the library writes them as null.
double number_from(const json& j) { return j.is_null() ? std::nan("") : j.get<double>(); }

EpochReport report_from(const json& j) {
  const json& quality = j.at(3);
  return {j.at(0).get<int>(),
          number_from(j.at(1)),
          {number_from(j.at(2)),
           {number_from(quality.at(0)), number_from(quality.at(1)), number_from(quality.at(2))}},
          number_from(j.at(4)),
          number_from(j.at(5)),
          number_from(j.at(6))};
}

/// Where training stands between two batches.
struct Position {
  int64_t epoch = 1, batch = 0, tokens = 0;
  double loss_sum = 0, seconds = 0, training_seconds = 0;  // of this epoch so far
  TrainReport report = {};
  uint64_t best = 0, earlier = 0;  // checksums of the best model, and of what was there before it

  void next_epoch() {
    *this = {.epoch = epoch + 1, .report = std::move(report), .best = best, .earlier = earlier};
  }
};

/// The whole state of a run, in one file beside the model.
class Checkpoint {
 public:
  Checkpoint(std::string path, json run, int64_t batches, Trained& trained, Adam& adam,
             Generator& dropout, Position& at)
      : path_(std::move(path)),
        run_(std::move(run)),
        batches_(batches),
        trained_(trained),
        at_(at),
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
    for (const EpochReport& r : at_.report.epochs) epochs.push_back(to_json(r));
    metadata["run"] = run_.dump();
    metadata["report"] = json{
        {"epochs", epochs},
        {"best", at_.report.best},
        {"checksum", at_.best},
        {"earlier_checksum",
         at_.earlier}}.dump();
    save_training_state(path_, state_, metadata);
  }

  void load() {
    Position read;
    load_training_state(path_, state_, [&](const TensorFile& file) {
      const auto& metadata = file.metadata;
      if (!metadata.contains("run") || !metadata.contains("report"))
        throw Error("not a checkpoint of this translator (it lacks \"run\" or \"report\")");
      check_json("its \"run\"", metadata.at("run"), 1);
      check_run(json::parse(metadata.at("run")));
      check_json("its \"report\"", metadata.at("report"), 4);
      try {
        read_report(json::parse(metadata.at("report")), read);
      } catch (const json::exception&) {
        throw Error("damaged: its \"report\" does not hold what a checkpoint's does");
      }
      check_place(file, std::ssize(read.report.epochs));
    });
    at_.report = read.report;
    at_.best = read.best;
    at_.earlier = read.earlier;
  }

 private:
  void check_run(const json& theirs) const {
    if (!theirs.is_object()) throw Error("damaged: its \"run\" is not a JSON object");
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

  static void read_report(const json& j, Position& read) {
    for (const json& epoch : j.at("epochs")) read.report.epochs.push_back(report_from(epoch));
    const auto best = j.at("best").get<int64_t>();
    if (best < -1 || best >= std::ssize(read.report.epochs))
      throw Error(fmt::format("damaged: its best epoch is number {} of {}", best + 1,
                              read.report.epochs.size()));
    read.report.best = static_cast<int>(best);
    read.best = j.value("checksum", uint64_t{0});
    read.earlier = j.value("earlier_checksum", uint64_t{0});
  }

  /// That the place where training goes on lies within the run.
  void check_place(const TensorFile& file, int64_t epochs) const {
    const auto check = [&](const char* name, int64_t least, int64_t most) {
      const auto found = file.tensors.find(name);
      if (found == file.tensors.end() || found->second.dtype() != DType::int64 ||
          found->second.numel() != 1)
        return;  // the comparison of all tensors tells of it
      const int64_t value = found->second.to_vector<int64_t>()[0];
      if (value < least || value > most)
        throw Error(
            fmt::format("damaged: its {} is {}; expected {} to {}", name, value, least, most));
    };
    check("epoch", epochs + 1, epochs + 1);
    check("batch", 0, batches_);
    check("tokens", 0, INT64_MAX / 2);
  }

  std::string path_;
  json run_;
  int64_t batches_;
  Trained& trained_;
  Position& at_;
  TrainingState state_;
};

/// 0 where there is no model, or none that can be read.
uint64_t checksum_of_file(const std::string& path) {
  if (!std::filesystem::exists(path)) return 0;
  try {
    Trained trained = load(path);
    return checksum(trained);
  } catch (const Error&) {
    return 0;
  }
}

/// The best model of a resumed run must be in its file. It may be missing there only where the run
/// was killed after the checkpoint was written and before the model was, which is `trained` then.
void restore_best(const std::string& path, Trained& trained, const Position& at) {
  if (at.report.best < 0 || at.best == 0) return;
  const uint64_t there = checksum_of_file(path);
  if (there == at.best) return;
  const bool is_unwritten =
      there == at.earlier && at.batch == 0 && at.report.best + 1 == std::ssize(at.report.epochs);
  if (!is_unwritten)
    throw Error(fmt::format(
        "{}: expected the best model of the run in {}.checkpoint, epoch {}, got {}; put that model "
        "back, or start again without --resume",
        path, path, at.report.epochs[static_cast<size_t>(at.report.best)].epoch,
        there == 0 ? "none that can be read" : "another one"));
  save(path, trained);
}

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

bool is_finite(const Trained& trained, const Evaluation& valid) {
  if (!std::isfinite(valid.loss)) return false;
  Translator model = trained.model;  // shares the parameters
  return std::ranges::all_of(parameters(model), [](const Tensor& parameter) {
    return std::ranges::all_of(parameter.span<float>(), [](float x) { return std::isfinite(x); });
  });
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
  const FileLock lock(options.model_path);
  Position at;
  Checkpoint checkpoint(options.model_path + ".checkpoint",
                        run_of(trained, train_pairs, valid, options), std::ssize(batches), trained,
                        adam, dropout, at);
  if (options.resume) {
    checkpoint.load();
    restore_best(options.model_path, trained, at);
  }
  if (at.best == 0) at.best = checksum_of_file(options.model_path);
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
    const bool is_best =
        is_finite(trained, epoch.valid) &&
        (report.best < 0 ||
         better(epoch.valid, report.epochs[static_cast<size_t>(report.best)].valid));
    if (is_best) {
      report.best = static_cast<int>(report.epochs.size()) - 1;
      at.earlier = std::exchange(at.best, checksum(trained));
    }
    at.next_epoch();
    checkpoint.save();
    if (is_best) save(options.model_path, trained);
  }
  if (report.epochs.empty()) return report;
  if (report.best < 0)
    throw Error(
        "train: no epoch gave a model with finite parameters and a finite loss on the validation "
        "pairs; train with a lower --rate or --clip");
  trained = load(options.model_path);
  if (at.best != 0 && checksum(trained) != at.best)
    throw Error(fmt::format(
        "{}: was replaced by another program; the best model of this run, epoch {}, is lost: train "
        "again, into another --model",
        options.model_path, report.epochs[static_cast<size_t>(report.best)].epoch));
  return report;
}

}  // namespace gradus::translate
