#include "examples/translate/trained.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/files/safetensors.h"
#include "tests/files.h"
#include "tests/translate/toy.h"

using namespace gradus;
using namespace gradus::testing;
using namespace gradus::translate;

namespace {

Trained small(const ModelOptions& options = {.embedding = 6, .hidden = 8}) {
  Trained trained = toy::untrained(toy::pairs(), options);
  toy::make_decided(trained.model, 2);
  return trained;
}

std::vector<std::string> sources() {
  std::vector<std::string> texts;
  for (const Pair& pair : toy::pairs()) texts.push_back(pair.source);
  return texts;
}

std::string error_of_loading(const std::string& path) {
  return toy::error_of([&] { load(path); });
}

/// The error after the file of a small model was changed.
std::string error_after(auto&& change) {
  const Folder folder;
  Trained trained = small();
  TensorFile file{named_tensors(trained.model), describe(trained)};
  change(file);
  const std::string path = folder / "changed.safetensors";
  save_tensors(path, file);
  const std::string error = error_of_loading(path);
  CHECK_MESSAGE(error.starts_with(path + ": "), error);
  return error;
}

}  // namespace

TEST_CASE("a loaded model has the options, vocabularies and bits of the saved one") {
  const Folder folder;
  for (const ModelOptions& options :
       {ModelOptions{6, 8}, ModelOptions{6, 8, 2, true, AttentionKind::additive, false, 0.25},
        ModelOptions{.embedding = 6, .hidden = 8, .attention = AttentionKind::local_p, .window = 3},
        ModelOptions{.hidden = 8,
        .layers = 2,
        .dropout = 0.1,
        .architecture = Architecture::transformer,
        .heads = 2,
        .norm_first = false,
        .label_smoothing = 0.1}}) {
    Trained trained = small(options);
    save(folder / "a", trained);
    Trained loaded = load(folder / "a");
    CHECK(describe(loaded) == describe(trained));
    const auto before = named_tensors(trained.model), after = named_tensors(loaded.model);
    REQUIRE(before.size() == after.size());
    for (const auto& [name, tensor] : before)
      CHECK(tensor.to_vector<float>() == after.at(name).to_vector<float>());

    const DecodeOptions beam{.beam = 3, .longest = 8};
    const auto theirs = translate_texts(trained, sources(), beam);
    const auto ours = translate_texts(loaded, sources(), beam);
    for (size_t i = 0; i < ours.size(); ++i)
      for (size_t h = 0; h < ours[i].size(); ++h) {
        CHECK(ours[i][h].ids == theirs[i][h].ids);
        CHECK(ours[i][h].score == theirs[i][h].score);
      }
    save(folder / "b", loaded);
    CHECK(contents(folder / "a") == contents(folder / "b"));
  }
}

TEST_CASE("a file that is not a model is refused with its path and what is wrong") {
  const Folder folder;
  CHECK(contains(error_of_loading(folder / "missing"), folder / "missing"));
  CHECK(contains(error_of_loading(folder.path), folder.path));
  write(folder / "text", "This is no model at all, but a line of text.\n");
  CHECK(contains(error_of_loading(folder / "text"), folder / "text"));
  save_tensors(folder / "other", {{{"weight", ones({2, 3})}}, {}});
  CHECK(contains(error_of_loading(folder / "other"),
                 (folder / "other") + ": not a model of this translator"));

  Trained trained = small();
  save(folder / "whole", trained);
  const std::string whole = contents(folder / "whole");
  for (const size_t size :
       {size_t{0}, size_t{5}, size_t{300}, whole.size() / 2, whole.size() - 1}) {
    write(folder / "cut", whole.substr(0, size));
    CHECK(contains(error_of_loading(folder / "cut"), folder / "cut"));
  }
}

TEST_CASE("broken metadata are refused with what is missing or wrong") {
  auto metadata = [](const char* name, const char* text) {
    return error_after([&](TensorFile& file) { file.metadata[name] = text; });
  };
  auto without = [](const char* name) {
    return error_after([&](TensorFile& file) { file.metadata.erase(name); });
  };
  CHECK(contains(without("format"), "not a model of this translator"));
  CHECK(contains(without("options"), "options"));
  CHECK(contains(without("source_vocabulary"), "source_vocabulary"));
  CHECK(contains(without("target_vocabulary"), "target_vocabulary"));
  CHECK(contains(metadata("options", "{"), "options"));
  CHECK(contains(metadata("options", "{\"embedding\": 6}"), "hidden"));
  CHECK(contains(metadata("source_vocabulary", "[]"), "source_vocabulary"));
  const auto with = [&](const char* name, const nlohmann::json& value) {
    return error_after([&](TensorFile& file) {
      auto options = nlohmann::json::parse(file.metadata.at("options"));
      options[name] = value;
      file.metadata["options"] = options.dump();
    });
  };
  CHECK(contains(with("score", "cosine"), "'cosine'"));
  CHECK(contains(with("architecture", "rnn"), "unknown architecture 'rnn'"));
  CHECK(contains(with("architecture", "transformer"), "decoder.0.feed_forward.inner.weight"));
  CHECK(contains(with("hidden", 9),
                 "its options give hidden 9, but its combine.weight has shape (8, 16)"));
  CHECK(contains(with("layers", 2), "expected a matrix decoder.1.weight_hh, found none"));
}

TEST_CASE("a file of a version without Transformers is an LSTM's") {
  const Folder folder;
  Trained trained = small();
  TensorFile file{named_tensors(trained.model), describe(trained)};
  auto options = nlohmann::json::parse(file.metadata.at("options"));
  for (const char* name : {"architecture", "heads", "window", "norm_first", "label_smoothing"})
    CHECK(options.erase(name) == 1);
  file.metadata["options"] = options.dump();
  save_tensors(folder / "old", file);
  CHECK(describe(load(folder / "old")) == describe(trained));
}

TEST_CASE("missing, additional and misshapen tensors are named") {
  const std::string error = error_after([](TensorFile& file) {
    file.tensors.erase("output.weight");
    file.tensors["more"] = ones({1});
    file.tensors["output.bias"] = ones({3});
  });
  CHECK(contains(error, "output.weight"));
  CHECK(contains(error, "more"));
  CHECK(contains(error, "output.bias"));
}

TEST_CASE("translations come in the order of their texts, whatever their lengths") {
  const Trained trained = small();
  std::vector<std::string> texts = sources();
  texts.insert(texts.begin() + 3, "");
  for (int i = 0; i < 120; ++i) texts.push_back(texts[static_cast<size_t>(i) % 41]);
  const auto together = translate_texts(trained, texts, {.longest = 8});
  REQUIRE(together.size() == texts.size());
  CHECK(together[3][0].ids.empty());
  for (size_t i = 0; i < texts.size(); i += 7)
    CHECK(together[i][0].ids == translate_texts(trained, {texts[i]}, {.longest = 8})[0][0].ids);
}

TEST_CASE("a sentence of 10,000 tokens is translated beside a hundred short ones") {
  std::string line;
  for (int i = 0; i < 10'000; ++i) line += "tea ";
  std::vector<std::string> texts(100, "I drink tea.");
  texts.insert(texts.begin() + 50, line);
  for (const Architecture architecture : {Architecture::lstm, Architecture::transformer}) {
    const Trained trained =
        small({.embedding = 6, .hidden = 8, .architecture = architecture, .heads = 2});
    const auto together = translate_texts(trained, texts, {.longest = 8});
    CHECK(together[50][0].ids == translate_texts(trained, {line}, {.longest = 8})[0][0].ids);
    CHECK(together[51][0].ids == translate_texts(trained, {texts[0]}, {.longest = 8})[0][0].ids);
  }
}

TEST_CASE("evaluation gives the loss per token and the metrics of greedy translations") {
  const Trained trained = small();
  const std::vector<Pair> pairs = toy::pairs();
  double loss = 0;
  int64_t target_tokens = 0;
  Sentences hypotheses, references;
  for (const Pair& pair : pairs) {
    const Batch batch = make_batch(encode({pair}, trained.source, trained.target));
    loss += trained.model.loss(batch).item();
    target_tokens += batch.target_tokens;
    const auto best = translate_texts(trained, {pair.source})[0][0];
    hypotheses.push_back(trained.target.decode(best.ids));
    references.push_back(tokens(pair.target, Unit::characters));
  }
  const Evaluation evaluation = evaluate(trained, pairs);
  CHECK(evaluation.loss ==
        doctest::Approx(loss / static_cast<double>(target_tokens)).epsilon(1e-5));
  const Quality expected = evaluate(hypotheses, references);
  CHECK(evaluation.quality.bleu == expected.bleu);
  CHECK(evaluation.quality.chrf == expected.chrf);
  CHECK(evaluation.quality.exact_match == expected.exact_match);
}
