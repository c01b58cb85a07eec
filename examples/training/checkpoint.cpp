#include "examples/training/checkpoint.h"

#include <fmt/format.h>

#include <cmath>

#include "core/files/json_check.h"
#include "core/tensor/processor.h"
#include "core/tensor/version.h"
#include "examples/terminal/output.h"

namespace gradus::training {

namespace {

using nlohmann::json;

/// The training loss stands beside that of the validation.
json to_json(const EpochReport& r) {
  return {r.epoch,
          r.train_loss,
          r.figures.at(0),
          std::vector<double>(r.figures.begin() + 1, r.figures.end()),
          r.items_per_second,
          r.seconds,
          r.peak_memory_mib};
}

/// JSON has no infinities and no NaN: the library writes them as null.
double number_from(const json& j) { return j.is_null() ? std::nan("") : j.get<double>(); }

EpochReport report_from(const json& j) {
  EpochReport report{j.at(0).get<int>(),   number_from(j.at(1)), {number_from(j.at(2))},
                     number_from(j.at(4)), number_from(j.at(5)), number_from(j.at(6))};
  for (const json& figure : j.at(3)) report.figures.push_back(number_from(figure));
  return report;
}

/// Everything that determines the bits of a run, by the names of the command line.
json settings_of(const Run& run, const TrainOptions& options) {
  json settings = json::parse(run.about.at("options"));
  settings["seed"] = options.seed;
  settings["batch"] = options.batch_size;
  settings["rate"] = options.learning_rate;
  settings["epochs of the decay"] = options.decay ? options.epochs : 0;
  settings["warm-up"] = options.warm_up;
  settings["clip"] = options.clip;
  if (options.weight_decay > 0) settings["weight decay"] = options.weight_decay;
  if (options.shards > 0) settings["shards"] = options.shards;
  for (const auto& [what, sum] : run.data) settings["checksum of the " + what] = sum;
  return settings;
}

/// What the last bits depend on besides: not the number of threads.
std::string kernels_in_use() {
  if (reproducible()) return "reproducible";
  return kernels() == "baseline" ? "baseline" : kernels() + " and OpenBLAS";
}

}  // namespace

int64_t begin_epoch(const Run& run, const TrainOptions& options, int64_t epoch) {
  Generator generator(options.seed * 1'000'003 + static_cast<uint64_t>(epoch));
  return run.begin_epoch(epoch, generator);
}

Checkpoint::Checkpoint(const Run& run, const TrainOptions& options, Adam& adam, Generator& dropout,
                       Position& at)
    : model_path_(options.model_path),
      path_(options.model_path + ".checkpoint"),
      run_(run),
      options_(options),
      settings_(settings_of(run, options)),
      at_(at),
      state_{{"model", run.tensors},
             {"adam", &adam},
             {"dropout", &dropout},
             {"epoch", &at.epoch},
             {"batch", &at.batch},
             {"tokens", &at.items},
             {"loss_sum", &at.loss_sum},
             {"seconds", &at.seconds},
             {"training_seconds", &at.training_seconds}} {}

void Checkpoint::check_ranks() const {
  Ranks& ranks = world();
  std::map<std::string, std::string> mine{
      {"version of Gradus", version()},
      {"compiler", __VERSION__},
      {"kernels", kernels_in_use()},
      {"model", kind_of(run_.about)},
      {"model description", std::to_string(checksum(run_.about, {}))},
      {"epochs", std::to_string(options_.epochs)},
      {"patience", std::to_string(options_.patience)},
      {"--resume", options_.resume ? "given" : "not given"}};
  for (const auto& [name, value] : settings_.items()) mine[name] = value.dump();
  check_same(ranks, mine);
  if (ranks.size() > 1 && options_.shards < ranks.size())
    throw Error(fmt::format(
        "{} ranks need --shards of {} or more, got {}: each batch is cut into so many parts, which "
        "the ranks share, and the result depends on their number alone",
        ranks.size(), ranks.size(), options_.shards));
}

std::string Checkpoint::report_text() const {
  json epochs = json::array();
  for (const EpochReport& r : at_.report.epochs) epochs.push_back(to_json(r));
  return json{{"epochs", epochs},
              {"best", at_.report.best},
              {"checksum", at_.best},
              {"earlier_checksum", at_.earlier}}
      .dump();
}

void Checkpoint::save() const {
  if (!is_first_rank()) return;
  Description metadata = run_.about;
  metadata["run"] = settings_.dump();
  metadata["kernels"] = kernels_in_use();
  metadata["report"] = report_text();
  save_training_state(path_, state_, metadata);
}

void Checkpoint::load() {
  Position read;
  std::string theirs_in_use = kernels_in_use();
  load_training_state(path_, state_, [&](const TensorFile& file) {
    const auto& metadata = file.metadata;
    const std::string ours = kind_of(run_.about), theirs = kind_of(metadata);
    if (!metadata.contains("run") || !metadata.contains("report"))
      throw Error(
          fmt::format("not a checkpoint of this {} (it lacks \"run\" or \"report\")", ours));
    if (theirs != ours)
      throw Error(fmt::format("not a checkpoint of this {}, but of a {} of Gradus", ours, theirs));
    check_json("its \"run\"", metadata.at("run"), 1);
    check_run(json::parse(metadata.at("run")));
    check_json("its \"report\"", metadata.at("report"), 4);
    try {
      read_report(json::parse(metadata.at("report")), read);
    } catch (const json::exception&) {
      throw Error("damaged: its \"report\" does not hold what a checkpoint's does");
    }
    check_place(file, std::ssize(read.report.epochs));
    if (metadata.contains("kernels")) theirs_in_use = metadata.at("kernels");
  });
  if (theirs_in_use != kernels_in_use())
    terminal::message(
        fmt::format("{} was made by {} kernels, and this run continues with {} ones: it is as "
                    "accurate, but its "
                    "last bits may differ from those of one that was not interrupted",
                    path_, theirs_in_use, kernels_in_use()));
  at_.report = read.report;
  at_.best = read.best;
  at_.earlier = read.earlier;
}

void Checkpoint::check_run(const json& theirs) const {
  if (!theirs.is_object()) throw Error("damaged: its \"run\" is not a JSON object");
  json ours = settings_;
  for (const auto& [name, value] : theirs.items()) ours.emplace(name, json());
  const auto text = [](const json& value) { return value.is_null() ? "none" : value.dump(); };
  std::string differences;
  for (const auto& [name, value] : ours.items())
    if (const json other = theirs.value(name, json()); other != value)
      differences +=
          fmt::format("\n  {}: {} in the checkpoint, {} now", name, text(other), text(value));
  if (!differences.empty())
    throw Error(
        "made with other data or options; resume with the same ones, or start again without "
        "--resume; differences:" +
        differences);
}

void Checkpoint::read_report(const json& j, Position& read) const {
  for (const json& epoch : j.at("epochs")) {
    read.report.epochs.push_back(report_from(epoch));
    if (read.report.epochs.back().figures.size() != run_.figures.size())
      throw Error(fmt::format("damaged: its epoch {} has {} figures; expected {}",
                              read.report.epochs.size(), read.report.epochs.back().figures.size(),
                              run_.figures.size()));
  }
  const auto best = j.at("best").get<int64_t>();
  if (best < -1 || best >= std::ssize(read.report.epochs))
    throw Error(fmt::format("damaged: its best is {}; expected -1 to {}", best,
                            std::ssize(read.report.epochs) - 1));
  read.report.best = static_cast<int>(best);
  read.best = j.value("checksum", uint64_t{0});
  read.earlier = j.value("earlier_checksum", uint64_t{0});
}

/// That the place where training goes on lies within the run.
void Checkpoint::check_place(const TensorFile& file, int64_t epochs) const {
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
  check("batch", 0, begin_epoch(run_, options_, epochs + 1));
  check("tokens", 0, INT64_MAX / 2);
}

std::vector<Tensor> values_of(const std::map<std::string, Tensor>& tensors) {
  std::vector<Tensor> values;
  for (const auto& entry : tensors) values.push_back(entry.second);
  return values;
}

void Checkpoint::resume() {
  if (is_first_rank()) {
    load();
    put_model_in_place();
  }
  share();
}

/// Gives the state of rank 0 to all.
void Checkpoint::share() {
  if (world().size() == 1) return;
  for (auto& [name, part] : state_) {
    const StatePart::Tensors tensors = part.get();
    broadcast(world(), values_of(tensors));
    if (!is_first_rank()) part.set(tensors);
  }
  std::string report = report_text();
  broadcast(world(), report);
  if (is_first_rank()) return;
  Position read;
  read_report(json::parse(report), read);
  at_.report = read.report;
  at_.best = read.best;
  at_.earlier = read.earlier;
}

void Checkpoint::put_model_in_place() const {
  if (at_.report.best < 0 || at_.best == 0) return;
  const uint64_t there = checksum_of_file(model_path_);
  if (there == at_.best) return;
  const bool is_unwritten = there == at_.earlier && at_.batch == 0 &&
                            at_.report.best + 1 == std::ssize(at_.report.epochs);
  if (!is_unwritten)
    throw Error(fmt::format(
        "{}: expected the best model of the run in {}, epoch {}, got {}; put that model back, or "
        "start again without --resume",
        model_path_, path_, at_.report.best_epoch().epoch,
        there == 0 ? "none that can be read" : "another one"));
  save_tensors(model_path_, {run_.tensors, run_.about});
}

}  // namespace gradus::training
