#include "examples/translate/train.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "core/files/safetensors.h"
#include "core/ops/packed_matrix.h"
#include "core/tensor/error.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

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
  int epoch = 1;
  size_t batch = 0;
  double loss_sum = 0, seconds = 0, training_seconds = 0;  // of this epoch so far
  int64_t tokens = 0;
  TrainReport report;

  void next_epoch() { *this = {epoch + 1, 0, 0, 0, 0, 0, std::move(report)}; }
};

/// The whole state of a run, in one file beside the model.
class Checkpoint {
 public:
  Checkpoint(std::string path, json run) : path_(std::move(path)), run_(std::move(run)) {}

  void save(Trained& trained, const Adam& adam, const Generator& dropout,
            const Position& at) const {
    TensorFile file{{}, describe(trained)};
    for (const auto& [name, value] : named_tensors(trained.model))
      file.tensors["model." + name] = value;
    for (const auto& [name, value] : adam.state()) file.tensors["adam." + name] = value;
    json epochs = json::array();
    for (const EpochReport& r : at.report.epochs) epochs.push_back(to_json(r));
    file.metadata["run"] = run_.dump();
    file.metadata["position"] = json{
        {"epoch", at.epoch},
        {"batch", at.batch},
        {"loss_sum", at.loss_sum},
        {"seconds", at.seconds},
        {"training_seconds", at.training_seconds},
        {"tokens", at.tokens},
        {"dropout", dropout.state()},
        {"epochs", epochs},
        {"best", at.report.best}}.dump();
    save_tensors(path_, file);
  }

  Position load(Trained& trained, Adam& adam, Generator& dropout) const {
    const TensorFile file = load_tensors(path_);
    try {
      return restore(file, trained, adam, dropout);
    } catch (const std::exception& error) {
      throw Error(fmt::format("{}: {}", path_, error.what()));
    }
  }

 private:
  Position restore(const TensorFile& file, Trained& trained, Adam& adam, Generator& dropout) const {
    if (!file.metadata.contains("run") || !file.metadata.contains("position"))
      throw Error("not a checkpoint of this translator (it lacks \"run\" or \"position\")");
    const json theirs = json::parse(file.metadata.at("run"));
    std::string differences;
    for (const auto& [name, value] : run_.items())
      if (theirs.value(name, json()) != value)
        differences += fmt::format("\n  {}: {} there, {} here", name,
                                   theirs.value(name, json()).dump(), value.dump());
    if (!differences.empty())
      throw Error(
          "made with other data or options; resume with the same ones, or start anew without "
          "--resume; what differs:" +
          differences);

    std::map<std::string, Tensor> model, state;
    for (const auto& [name, value] : file.tensors) {
      if (name.starts_with("model.")) model[name.substr(6)] = value;
      if (name.starts_with("adam.")) state[name.substr(5)] = value;
    }
    load_tensors_into(trained.model, model);
    adam.set_state(state);
    const json j = json::parse(file.metadata.at("position"));
    dropout.set_state(j.at("dropout"));
    Position at{j.at("epoch"),
                j.at("batch"),
                j.at("loss_sum"),
                j.at("seconds"),
                j.at("training_seconds"),
                j.at("tokens"),
                {}};
    for (const json& epoch : j.at("epochs")) at.report.epochs.push_back(report_from(epoch));
    at.report.best = j.at("best");
    return at;
  }

  std::string path_;
  json run_;
};

/// What tells texts apart: FNV-1a (Fowler, Noll, Vo 1991).
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

/// All that decides a run's bits, by the names that its user knows.
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

TrainReport train(Trained& trained, const std::vector<Pair>& train_pairs,
                  const std::vector<Pair>& valid, const TrainOptions& options,
                  terminal::Progress& progress, const std::function<bool()>& stop) {
  const std::vector<Batch> batches =
      make_batches(encode(train_pairs, trained.source, trained.target), options.batch_size);
  const std::vector<Tensor> weights = parameters(trained.model);
  Adam adam(weights, {.learning_rate = options.learning_rate});
  Generator dropout(options.seed ^ 0x64726f706f757421);
  const Checkpoint checkpoint(options.model_path + ".checkpoint",
                              run_of(trained, train_pairs, valid, options));
  const Schedule rate = schedule_of(options, options.epochs * std::ssize(batches));
  Position at;
  if (options.resume) at = checkpoint.load(trained, adam, dropout);
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
      const double left = options.epochs - at.epoch + 1 - done;
      return terminal::EpochProgress{at.epoch,
                                     options.epochs,
                                     done,
                                     at.loss_sum / static_cast<double>(at.tokens),
                                     static_cast<double>(at.tokens) / at.training_seconds,
                                     done > 0 ? at.training_seconds / done * left : 0};
    };
    while (at.batch < batches.size()) {
      const Batch& batch = batches[static_cast<size_t>(order[at.batch])];
      adam.zero_grad();
      adam.learning_rate =
          rate((at.epoch - 1) * std::ssize(batches) + static_cast<int64_t>(at.batch));
      Tensor loss;
      {
        const ConstantParameters constant;
        loss = trained.model.loss(batch, &dropout);
        (loss / static_cast<double>(batch.target_tokens)).backward();
      }
      clip_gradients(weights, options.clip);
      adam.step();
      at.loss_sum += loss.item();
      at.tokens += batch.target_tokens;
      ++at.batch;
      at.training_seconds = training_before + seconds_since(start);
      progress.update(live());
      if (stop()) {
        at.seconds = seconds_before + seconds_since(start);
        checkpoint.save(trained, adam, dropout, at);
        report.interrupted = true;
        return report;
      }
    }
    EpochReport epoch{at.epoch,
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
    checkpoint.save(trained, adam, dropout, at);
  }
  if (report.best >= 0) trained = load(options.model_path);
  return report;
}

}  // namespace gradus::translate
