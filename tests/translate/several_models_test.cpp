// Several models: their mean, their ensemble, and words that none of them knows.

#include <doctest/doctest.h>

#include "examples/translate/train.h"
#include "tests/files.h"
#include "tests/translate/toy.h"

using namespace gradus;
using namespace gradus::testing;
using namespace gradus::translate;

namespace {

/// Models of seeds 1, 2, … in files of a folder: their paths.
std::vector<std::string> saved(const Folder& folder, int count,
                               const ModelOptions& options = {.embedding = 6, .hidden = 8}) {
  std::vector<std::string> paths;
  for (int seed = 1; seed <= count; ++seed) {
    Trained trained = toy::untrained(toy::pairs(), options);
    toy::make_decided(trained.model, static_cast<uint64_t>(seed));
    paths.push_back(folder / std::to_string(seed));
    save(paths.back(), trained);
  }
  return paths;
}

/// A model of other words.
std::string of_other_words(const Folder& folder) {
  Trained other = toy::untrained({{"a b", "一二"}, {"b c", "二三"}}, {.embedding = 6, .hidden = 8});
  save(folder / "other", other);
  return folder / "other";
}

}  // namespace

TEST_CASE("the average of models has the mean of each weight, and is a model of its own") {
  const Folder folder;
  const auto paths = saved(folder, 3);
  Trained mean = average(paths);
  const auto weights = named_tensors(mean.model);
  std::map<std::string, std::vector<double>> expected;
  for (const std::string& path : paths) {
    Trained one = load(path);
    for (const auto& [name, tensor] : named_tensors(one.model)) {
      std::vector<double>& sum = expected[name];
      const auto values = tensor.to_vector<double>();
      sum.resize(values.size());
      for (size_t i = 0; i < values.size(); ++i) sum[i] += values[i] / 3;
    }
  }
  CHECK(weights.size() == expected.size());
  for (const auto& [name, values] : expected)
    for (size_t i = 0; i < values.size(); ++i)
      CHECK(weights.at(name).to_vector<double>()[i] == doctest::Approx(values[i]).epsilon(1e-5));
  save(folder / "mean", mean);
  CHECK(describe(load(folder / "mean")) == describe(load(paths[0])));
  Trained alone = average({paths[0]});
  save(folder / "alone", alone);
  CHECK(contents(folder / "alone") == contents(paths[0]));
}

TEST_CASE("models of other options or vocabularies have no average, and say why") {
  const Folder folder;
  auto paths = saved(folder, 1);
  Trained larger = toy::untrained(toy::pairs(), {.embedding = 6, .hidden = 10});
  save(folder / "larger", larger);
  const std::string options = toy::error_of([&] { average({paths[0], folder / "larger"}); });
  CHECK(options.starts_with((folder / "larger") + ": expected the options of " + paths[0]));
  const std::string words = toy::error_of([&] { average({paths[0], of_other_words(folder)}); });
  CHECK(words.starts_with((folder / "other") + ": expected the source_vocabulary of " + paths[0]));
}

TEST_CASE("an ensemble of files translates and is evaluated as one model") {
  const Folder folder;
  const auto paths = saved(folder, 2);
  Trained larger = toy::untrained(toy::pairs(), {.embedding = 4, .hidden = 10});
  toy::make_decided(larger.model, 9);
  save(folder / "larger", larger);
  const Trained one = load(paths[0]), twice = load(std::vector{paths[0], paths[0]}),
                all = load(std::vector{paths[0], paths[1], folder / "larger"});
  CHECK(all.others.size() == 2);
  const auto pairs = toy::pairs();
  const Evaluation alone = evaluate(one, pairs), doubled = evaluate(twice, pairs);
  CHECK(doubled.loss == doctest::Approx(alone.loss).epsilon(1e-5));
  CHECK(doubled.quality.chrf == doctest::Approx(alone.quality.chrf));
  // log of a mean is at least the mean of logs.
  double mean = 0;
  for (const std::string& path : {paths[0], paths[1], folder / "larger"})
    mean += evaluate(load(path), pairs).loss / 3;
  CHECK(evaluate(all, pairs).loss < mean);
  CHECK(toy::error_of([&] {
          load(std::vector{paths[0], of_other_words(folder)});
        }).starts_with((folder / "other") + ": expected the source_vocabulary of " + paths[0]));
}

TEST_CASE("an unknown word is the source word that was attended to most") {
  Trained trained = toy::untrained(toy::pairs(), {.embedding = 6, .hidden = 8});
  const std::string source = "They drink zythum.";
  Hypothesis h;
  h.ids = {trained.target.id("他"), unk_id, unk_id, trained.target.id("。")};
  h.attention = {
      {1, 0, 0, 0}, {0.1, 0.2, 0.4, 0.3}, {0.2, 0.7, 0.1, 0}, {0, 0, 0, 1}, {0, 0, 0, 1}};
  CHECK(written_text(trained, source, h) == "他zythumdrink。");
  h.attention.clear();
  CHECK(written_text(trained, source, h) == "他<unk><unk>。");

  // A decoder that knows no word writes the source's.
  named_tensors(trained.model).at("output.bias").mutable_span<float>()[unk_id] = 1e9F;
  const DecodeOptions options{.longest = 3, .attention = true, .unknown = true};
  const auto words =
      written_tokens(trained, source, translate_texts(trained, {source}, options)[0][0]);
  CHECK(words.size() == 3);
  for (const std::string& word : words)
    CHECK(std::ranges::count(std::vector<std::string>{"they", "drink", "zythum", "."}, word) == 1);
}

TEST_CASE("of a source in subwords a whole word is copied into words or characters") {
  const auto with = [](Vocabulary source, Vocabulary target) {
    Generator generator(1);
    Translator model(source.size(), target.size(), {.embedding = 2, .hidden = 2}, generator);
    return Trained{std::move(source), std::move(target), std::move(model)};
  };
  const std::string text = "I drink zythum";
  const Vocabulary pieces(
      Subwords({"I drink", "I drink", "zy", "th", "um"}, {.size = 60, .min_count = 1})),
      words = Vocabulary::of_texts({text}, Unit::words, 1),
      characters = Vocabulary::of_texts({"他喝"}, Unit::characters, 1);
  const auto tokens = pieces.tokens(text);
  const auto copied_from = [&](const Trained& trained, size_t place, size_t count) {
    std::vector<double> weights(count);
    weights[place] = 1;
    return written_text(trained, text, {.ids = {unk_id, unk_id}, .attention = {weights, weights}});
  };
  REQUIRE(tokens.size() > 4);
  REQUIRE(tokens[0] == "▁I");
  const Trained to_characters = with(pieces, characters);
  CHECK(copied_from(to_characters, 0, tokens.size()) == "II");
  CHECK(copied_from(to_characters, tokens.size() - 1, tokens.size()) == "zythumzythum");
  CHECK(copied_from(with(pieces, words), tokens.size() - 2, tokens.size()) == "zythum zythum");
  CHECK(copied_from(with(words, pieces), 2, 3) == "zythum zythum");
  CHECK(copied_from(with(pieces, pieces), 0, tokens.size()) == "I I");
}

TEST_CASE("training keeps the models of its last epochs, and replaces nothing else") {
  const Folder folder;
  const auto pairs = toy::pairs();
  const auto trained_with_keep = [&](int epochs) {
    Trained trained = toy::untrained(pairs, {.embedding = 6, .hidden = 8});
    const TrainOptions options{
        .epochs = epochs, .patience = 100, .model_path = folder / "m.safetensors"};
    train(trained, pairs, pairs, options, 2);
  };
  CHECK(path_of_epoch("runs/m.safetensors", 3) == "runs/m.epoch3.safetensors");
  CHECK(path_of_epoch("m", 3) == "m.epoch3");
  trained_with_keep(4);
  const auto exists = [&](int epoch) {
    return std::filesystem::exists(path_of_epoch(folder / "m.safetensors", epoch));
  };
  CHECK_FALSE(exists(1));
  CHECK_FALSE(exists(2));
  CHECK(exists(3));
  CHECK(exists(4));
  write(folder / "m.epoch2.safetensors", "a letter");
  CHECK(contains(toy::error_of([&] { trained_with_keep(2); }), "m.epoch2.safetensors"));
  CHECK(contents(folder / "m.epoch2.safetensors") == "a letter");
}
