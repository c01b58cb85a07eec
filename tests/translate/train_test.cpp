#include "examples/translate/train.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <limits>

#include "tests/files.h"
#include "tests/translate/toy.h"

using namespace gradus;
using namespace gradus::testing;
using namespace gradus::translate;

namespace {

const ModelOptions tiny{.embedding = 8, .hidden = 12};

bool never() { return false; }

/// A stop that is asked for after `count` batches.
std::function<bool()> after(int count) {
  return [left = count]() mutable { return --left == 0; };
}

/// Trains without a word.
TrainReport quietly(Trained& trained, const TrainOptions& options,
                    const std::function<bool()>& stop = never,
                    const std::vector<Pair>& pairs = toy::pairs(),
                    const std::vector<Pair>& valid = toy::pairs()) {
  std::FILE* nowhere = std::fopen("/dev/null", "w");
  terminal::Progress progress(nowhere, false);
  try {
    const TrainReport report = train(trained, pairs, valid, options, progress, stop);
    std::fclose(nowhere);
    return report;
  } catch (...) {
    std::fclose(nowhere);
    throw;
  }
}

void check_same_bits(Trained& a, Trained& b) {
  const auto ours = named_tensors(a.model), theirs = named_tensors(b.model);
  REQUIRE(ours.size() == theirs.size());
  for (const auto& entry : ours) {
    const std::string& name = entry.first;
    CAPTURE(name);
    CHECK(entry.second.to_vector<float>() == theirs.at(name).to_vector<float>());
  }
}

/// All but the times.
void check_same(const TrainReport& a, const TrainReport& b) {
  CHECK(a.best == b.best);
  CHECK(a.interrupted == b.interrupted);
  REQUIRE(a.epochs.size() == b.epochs.size());
  for (size_t i = 0; i < a.epochs.size(); ++i) {
    const EpochReport &x = a.epochs[i], &y = b.epochs[i];
    CHECK(x.epoch == y.epoch);
    CHECK(x.train_loss == y.train_loss);
    CHECK(x.figures == y.figures);
  }
}

}  // namespace

TEST_CASE("forty pairs are learned to the last character") {
  const Folder folder;
  Trained trained = toy::untrained(toy::pairs(), {.embedding = 32, .hidden = 48});
  const TrainReport report = quietly(trained, {.epochs = 50,
                                               .batch_size = 4,
                                               .learning_rate = 1e-2,
                                               .patience = 50,
                                               .model_path = folder / "model"});
  CHECK(evaluation_of(report.best_epoch()).quality.exact_match == 100);
  CHECK(evaluate(trained, toy::pairs()).quality.exact_match == 100);
  CHECK(report.epochs.back().train_loss < report.epochs.front().train_loss / 10);
}

TEST_CASE("a Transformer learns the forty pairs too, and resumes to the same bits") {
  const Folder folder;
  const ModelOptions model{.hidden = 32,
                           .dropout = 0.1,
                           .architecture = Architecture::transformer,
                           .label_smoothing = 0.1};
  TrainOptions options{.epochs = 40,
                       .batch_size = 4,
                       .learning_rate = 5e-3,
                       .warm_up = 40,
                       .patience = 50,
                       .model_path = folder / "whole"};
  Trained whole = toy::untrained(toy::pairs(), model);
  const TrainReport expected = quietly(whole, options);
  CHECK(evaluate(whole, toy::pairs()).quality.exact_match == 100);
  options.model_path = folder / "parts";
  Trained first = toy::untrained(toy::pairs(), model);
  CHECK(quietly(first, options, after(33)).interrupted);
  options.resume = true;
  Trained second = toy::untrained(toy::pairs(), model, 99);
  check_same(quietly(second, options), expected);
  check_same_bits(second, whole);
  options.warm_up = 50;
  CHECK(contains(toy::error_of([&] { quietly(second, options); }),
                 "warm-up: 40 in the checkpoint, 50 now"));
}

TEST_CASE("two runs of one seed give the same bits, another seed gives others") {
  const Folder folder;
  ModelOptions model = tiny;
  model.dropout = 0.2;
  auto run = [&](const char* name, uint64_t seed) {
    Trained trained = toy::untrained(toy::pairs(), model);
    quietly(trained, {.epochs = 3, .batch_size = 7, .seed = seed, .model_path = folder / name});
    return contents(folder / name);
  };
  const std::string once = run("a", 5);
  CHECK(once == run("b", 5));
  CHECK(once != run("c", 6));
  CHECK(contents(folder / "a.checkpoint").size() > 2 * once.size());
}

TEST_CASE("stopped and resumed anywhere, a run ends with the bits of one that was never stopped") {
  const Folder folder;
  for (const double dropout : {0.0, 0.3})
    for (const bool decay : {false, true}) {
      ModelOptions model = tiny;
      model.dropout = dropout;
      model.layers = 2;
      TrainOptions options{.epochs = 3,
                           .batch_size = 7,
                           .learning_rate = 1e-2,
                           .decay = decay,
                           .model_path = folder / "whole"};
      Trained whole = toy::untrained(toy::pairs(), model);
      const TrainReport expected = quietly(whole, options);
      // An epoch has 6 batches: at its start, within it, at its end, in the next, in the last.
      for (const int batches : {1, 4, 6, 8, 17, 18}) {
        CAPTURE(batches);
        options.model_path = folder / "parts";
        options.resume = false;
        Trained first = toy::untrained(toy::pairs(), model);
        CHECK(quietly(first, options, after(batches)).interrupted);
        options.resume = true;
        Trained second = toy::untrained(toy::pairs(), model, 99);  // weights come from the file
        const TrainReport report = quietly(second, options);
        check_same(report, expected);
        check_same_bits(second, whole);
        CHECK(contents(folder / "parts") == contents(folder / "whole"));
      }
      // Stopped after every fifth batch.
      options.resume = false;
      Trained trained = toy::untrained(toy::pairs(), model);
      TrainReport report = quietly(trained, options, after(5));
      int parts = 1;
      for (options.resume = true; report.interrupted; ++parts)
        report = quietly(trained, options, after(5));
      CHECK(parts == 4);
      check_same(report, expected);
      check_same_bits(trained, whole);
    }
}

TEST_CASE("a finished run can be resumed for more epochs") {
  const Folder folder;
  TrainOptions options{.epochs = 4, .batch_size = 7, .model_path = folder / "whole"};
  Trained whole = toy::untrained(toy::pairs(), tiny);
  const TrainReport expected = quietly(whole, options);
  options.model_path = folder / "parts";
  options.epochs = 2;
  Trained parts = toy::untrained(toy::pairs(), tiny);
  quietly(parts, options);
  options.resume = true;
  const TrainReport again = quietly(parts, options);
  CHECK(again.epochs.size() == 2);
  options.epochs = 4;
  check_same(quietly(parts, options), expected);
  check_same_bits(parts, whole);
}

TEST_CASE("training stops when BLEU no longer grows, and keeps the best model, not the last") {
  const Folder folder;
  // The better the pairs are learned, the worse the loss on wrong translations gets.
  std::vector<Pair> wrong = toy::pairs();
  for (size_t i = 0; i < wrong.size(); ++i) wrong[i].target = toy::pairs()[(i + 19) % 40].target;
  for (Pair& pair : wrong) std::reverse(pair.source.begin(), pair.source.end());
  Trained trained = toy::untrained(toy::pairs(), {.embedding = 16, .hidden = 24});
  const TrainReport report = quietly(trained,
                                     {.epochs = 60,
                                      .batch_size = 8,
                                      .learning_rate = 1e-2,
                                      .patience = 4,
                                      .model_path = folder / "model"},
                                     never, toy::pairs(), wrong);
  CHECK(report.epochs.size() < 60);
  CHECK(std::ssize(report.epochs) == report.best + 1 + 4);
  const Evaluation best = evaluation_of(report.best_epoch());
  for (size_t i = 0; i < report.epochs.size(); ++i) {
    const Evaluation other = evaluation_of(report.epochs[i]);
    CHECK(best.quality.bleu >= other.quality.bleu);
    if (static_cast<int>(i) != report.best && best.quality.bleu == other.quality.bleu)
      CHECK(best.loss <= other.loss);
  }
  for (const Trained& kept : {trained, load(folder / "model")}) {
    CHECK(evaluate(kept, wrong).loss == best.loss);
    CHECK(evaluate(kept, wrong).quality.bleu == best.quality.bleu);
  }
}

TEST_CASE("resuming with other options or data is refused with what differs") {
  const Folder folder;
  const TrainOptions options{.epochs = 2, .batch_size = 7, .model_path = folder / "model"};
  {
    Trained trained = toy::untrained(toy::pairs(), tiny);
    quietly(trained, options, after(3));
  }
  auto error = [&](auto change) {
    TrainOptions other = options;
    other.resume = true;
    ModelOptions model = tiny;
    std::vector<Pair> pairs = toy::pairs(), valid = toy::pairs();
    change(other, model, pairs, valid);
    Trained trained = toy::untrained(toy::pairs(), model);
    return toy::error_of([&] { quietly(trained, other, never, pairs, valid); });
  };
  using T = TrainOptions&;
  using M = ModelOptions&;
  using P = std::vector<Pair>&;
  const std::string seed = error([](T o, M, P, P) { o.seed = 2; });
  CHECK(seed.starts_with((folder / "model.checkpoint") + ": "));
  CHECK(contains(seed, "seed: 1 in the checkpoint, 2 now"));
  CHECK_FALSE(contains(seed, "batch:"));
  CHECK(
      contains(error([](T o, M, P, P) { o.batch_size = 8; }), "batch: 7 in the checkpoint, 8 now"));
  CHECK(contains(error([](T o, M, P, P) { o.learning_rate = 0.5; }),
                 "rate: 0.001 in the checkpoint, 0.5"));
  CHECK(contains(error([](T o, M, P, P) { o.clip = 1; }), "clip: 5.0 in the checkpoint, 1.0 now"));
  CHECK(contains(error([](T o, M, P, P) { o.decay = true; }), "decay: 0 in the checkpoint, 2 now"));
  CHECK(
      contains(error([](T, M m, P, P) { m.hidden = 13; }), "hidden: 12 in the checkpoint, 13 now"));
  CHECK(contains(error([](T, M m, P, P) { m.dropout = 0.1; }),
                 "dropout: 0.0 in the checkpoint, 0.1 now"));
  CHECK(contains(error([](T, M m, P, P) { m.attention = AttentionKind::dot; }),
                 "\"general\" in the checkpoint, \"dot\""));
  CHECK(contains(error([](T, M, P p, P) { std::swap(p[0], p[1]); }), "training pairs"));
  CHECK(contains(error([](T, M, P, P v) { v.pop_back(); }), "validation pairs"));
  CHECK(error([](T o, M, P, P) { o.patience = 9; }) == "");
}

TEST_CASE("resuming without a checkpoint, or from another file, is refused with its path") {
  const Folder folder;
  TrainOptions options{.epochs = 2, .model_path = folder / "model", .resume = true};
  Trained trained = toy::untrained(toy::pairs(), tiny);
  const std::string path = folder / "model.checkpoint";
  auto error = [&] { return toy::error_of([&] { quietly(trained, options); }); };
  CHECK(contains(error(), path));
  save(path, trained);
  CHECK(contains(error(), path + ": not a checkpoint"));
  options.resume = false;
  quietly(trained, options, after(1));
  const std::string whole = contents(path);
  write(path, whole.substr(0, whole.size() - 9));
  options.resume = true;
  CHECK(contains(error(), path));
}

TEST_CASE("a gradient that is not finite names its parameter, and no model is written") {
  const Folder folder;
  Trained trained = toy::untrained(toy::pairs(), tiny);
  named_tensors(trained.model).at("output.weight").mutable_span<float>()[0] =
      std::numeric_limits<float>::quiet_NaN();
  const std::string error =
      toy::error_of([&] { quietly(trained, {.epochs = 1, .model_path = folder / "model"}); });
  CHECK(contains(error, "source_embedding.weight"));
  CHECK_FALSE(std::filesystem::exists(folder / "model"));
}
