// The kind: a model's or a checkpoint's file asks for more than it holds, or for what cannot be.

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/files/safetensors.h"
#include "examples/translate/train.h"
#include "tests/files.h"
#include "tests/translate/toy.h"

using namespace gradus;
using namespace gradus::testing;
using namespace gradus::translate;
using nlohmann::json;

namespace {

const ModelOptions tiny{.embedding = 6, .hidden = 8};

/// The error of loading a small model whose file was changed.
std::string error_after(auto&& change) {
  const Folder folder;
  Trained trained = toy::untrained(toy::pairs(), tiny);
  TensorFile file{named_tensors(trained.model), describe(trained)};
  change(file);
  save_tensors(folder / "m", file);
  const std::string error = toy::error_of([&] { load(folder / "m"); });
  CHECK_MESSAGE(error.starts_with((folder / "m") + ": "), error);
  return error.substr(std::min(error.size(), folder.path.size() + 4));
}

void set_option(TensorFile& file, const char* name, const json& value) {
  json options = json::parse(file.metadata.at("options"));
  options[name] = value;
  file.metadata["options"] = options.dump();
}

std::string error_with(const char* name, const json& value) {
  return error_after([&](TensorFile& file) { set_option(file, name, value); });
}

TrainReport quietly(Trained& trained, const TrainOptions& options, int batches = -1) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> nowhere(std::fopen("/dev/null", "w"),
                                                                std::fclose);
  terminal::Progress progress(nowhere.get(), false);
  return train(trained, toy::pairs(), toy::pairs(), options, progress,
               [&] { return --batches == 0; });
}

/// The error of resuming from a checkpoint after eight batches of six, whose file was changed.
std::string error_of_resuming(auto&& change) {
  const Folder folder;
  TrainOptions options{.epochs = 3, .batch_size = 7, .model_path = folder / "m"};
  Trained trained = toy::untrained(toy::pairs(), tiny);
  REQUIRE(quietly(trained, options, 8).interrupted);
  const std::string path = folder / "m.checkpoint";
  TensorFile file = load_tensors(path);
  change(file);
  save_tensors(path, file);
  Trained resumed = toy::untrained(toy::pairs(), tiny, 2);
  const auto before = named_tensors(resumed.model).at("output.weight").to_vector<float>();
  options.resume = true;
  const std::string error = toy::error_of([&] { quietly(resumed, options); });
  if (error.empty()) return "no error";
  CHECK_MESSAGE(error.starts_with(path + ": "), error);
  CHECK(named_tensors(resumed.model).at("output.weight").to_vector<float>() == before);
  return error.substr(std::min(error.size(), path.size() + 2));
}

std::string error_with_number(const char* name, int64_t value) {
  return error_of_resuming(
      [&](TensorFile& file) { file.tensors.at(name) = tensor(std::vector<int64_t>{value}, {}); });
}

std::string error_with_report(auto&& change) {
  return error_of_resuming([&](TensorFile& file) {
    json report = json::parse(file.metadata.at("report"));
    change(report);
    file.metadata["report"] = report.dump();
  });
}

}  // namespace

TEST_CASE("an empty matrix of 300,000,000 columns does not become a model of them") {
  CHECK(contains(error_after([](TensorFile& file) {
                   set_option(file, "embedding", 300'000'000);
                   file.tensors["source_embedding.weight"] = zeros({0, 300'000'000});
                 }),
                 "embedding 300000000; expected an integer from 1 to 65536"));
  CHECK(contains(error_after([](TensorFile& file) {
                   set_option(file, "hidden", 65'536);
                   file.tensors["combine.weight"] = zeros({65'536, 0});
                   file.tensors["decoder.0.weight_hh"] = zeros({0, 65'536});
                 }),
                 "parameters, its tensors hold "));
}

TEST_CASE("options that no model has are refused with what was expected") {
  CHECK(contains(error_with("layers", 2'000'000), "expected an integer from 1 to 64"));
  for (const char* name : {"embedding", "hidden", "layers", "heads", "window"})
    for (const json& value : {json(0), json(-1), json(1.5), json("8"), json(nullptr), json(1e300),
                              json(UINT64_MAX), json(4294967297)})
      CHECK_MESSAGE(contains(error_with(name, value), "expected an integer from 1 to "), name);
  for (const char* name : {"dropout", "label_smoothing"})
    for (const json& value : {json(1), json(-0.1), json("0"), json(nullptr)})
      CHECK_MESSAGE(contains(error_with(name, value), "expected a number in [0, 1)"), name);
  for (const char* name : {"bidirectional", "input_feeding", "norm_first"})
    CHECK_MESSAGE(contains(error_with(name, 1), "expected true or false"), name);
  CHECK(contains(error_with("score", 1), "expected a name"));
  CHECK(contains(error_after([](TensorFile& file) { file.metadata["options"] = "[]"; }),
                 "not a JSON object"));
}

TEST_CASE("text nested 100,000 deep is refused wherever a file holds JSON") {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  for (const char* name : {"options", "source_vocabulary", "target_vocabulary"})
    for (const std::string& text : {deep, "{\"unit\":" + deep + "}", "{\"tokens\":" + deep + "}"})
      CHECK_MESSAGE(contains(error_after([&](TensorFile& file) { file.metadata[name] = text; }),
                             "nested too deeply"),
                    name);
  for (const char* name : {"run", "report"})
    for (const std::string& text : {deep, "{\"seed\":" + deep + ",\"best\":" + deep + "}"})
      CHECK_MESSAGE(
          contains(error_of_resuming([&](TensorFile& file) { file.metadata[name] = text; }),
                   "nested too deeply"),
          name);
}

TEST_CASE("a checkpoint whose place lies outside of its run is refused, and nothing has changed") {
  CHECK(error_of_resuming([](TensorFile&) {}) == "no error");
  for (const int64_t epoch :
       {int64_t{-5}, int64_t{0}, int64_t{1}, int64_t{3}, INT64_MAX, INT64_MIN})
    CHECK(contains(error_with_number("epoch", epoch), "damaged: its epoch is "));
  for (const int64_t batch : {int64_t{-1}, int64_t{7}, INT64_MAX, INT64_MIN})
    CHECK(contains(error_with_number("batch", batch), "damaged: its batch is "));
  CHECK(contains(error_with_number("tokens", -1), "damaged: its tokens is -1; expected 0 to "));
  for (const json& best : {json(-2), json(1), json(1e18), json(INT64_MAX)})
    CHECK(contains(error_with_report([&](json& report) { report["best"] = best; }),
                   "damaged: its best is "));
  for (const char* part : {"epochs", "best", "checksum"})
    CHECK(error_with_report([&](json& report) { report[part] = "x"; }) ==
          "damaged: its \"report\" does not hold what a checkpoint's does");
  CHECK(error_with_report([](json& report) { report["epochs"][0].erase(3); }) ==
        "damaged: its \"report\" does not hold what a checkpoint's does");
  CHECK(error_of_resuming([](TensorFile& file) { file.metadata["run"] = "[]"; }) ==
        "damaged: its \"run\" is not a JSON object");
}

TEST_CASE("a model whose loss or parameters are not finite is not kept") {
  const Folder folder;
  // The best epoch is the first: then the rate is so high that the last step breaks the model.
  Trained trained = toy::untrained(toy::pairs(), tiny);
  const TrainOptions high{.epochs = 1,
                          .batch_size = 40,
                          .learning_rate = 1e38,
                          .clip = 1e9,
                          .model_path = folder / "m"};
  const std::string error = toy::error_of([&] { quietly(trained, high); });
  CHECK(contains(error, "no epoch gave a model with finite parameters and a finite loss"));
  CHECK_FALSE(std::filesystem::exists(folder / "m"));

  Trained infinite = toy::untrained(toy::pairs(), tiny);
  // <unk> never occurs: the loss does not see it.
  named_tensors(infinite.model).at("source_embedding.weight").mutable_span<float>()[3 * 6] =
      std::numeric_limits<float>::infinity();
  CHECK(
      contains(toy::error_of([&] { quietly(infinite, {.epochs = 1, .model_path = folder / "m"}); }),
               "no epoch gave a model with finite parameters"));
}
