#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <mutex>

#include "examples/training/model_file.h"
#include "tests/files.h"
#include "tests/optim/thread_ranks.h"
#include "tests/training/line.h"

using namespace gradus;
using namespace gradus::testing;
using namespace gradus::training;

namespace {

TrainOptions in_shards(const std::string& model_path, int64_t shards = 5) {
  TrainOptions options = three_epochs(model_path);
  options.shards = shards;  // of batches of three: some are empty
  return options;
}

/// Trains on `size` ranks, each of which may change the options and the task; the errors of all.
std::vector<std::string> train_on(
    int size, const TrainOptions& options, const std::function<std::function<bool()>()>& stop,
    const std::function<void(int, TrainOptions&, Task<Line, Tensor>&)>& change = {},
    std::vector<std::vector<float>>* weights = nullptr) {
  if (weights) weights->resize(static_cast<size_t>(size));
  return on_ranks(size, [&](Ranks& ranks) {
    const WithRanks with(ranks);
    Line line = untrained();
    TrainOptions mine = options;
    Task<Line, Tensor> task = line_task();
    if (change) change(ranks.rank(), mine, task);
    quietly(line, mine, stop(), task);
    if (weights)
      (*weights)[static_cast<size_t>(ranks.rank())] = line.dense.weight.to_vector<float>();
  });
}

std::function<bool()> nobody_stops() { return never; }

}  // namespace

TEST_CASE("a model file has the same bytes for any number of ranks, without ranks too") {
  const Folder folder;
  Line alone = untrained();
  const TrainReport expected = quietly(alone, in_shards(folder / "alone"));
  CHECK(expected.best_epoch().train_loss < expected.epochs[0].train_loss + 1e-9);
  for (const int ranks : {1, 2, 3, 5}) {
    CAPTURE(ranks);
    std::vector<std::vector<float>> weights;
    for (const std::string& error :
         train_on(ranks, in_shards(folder / "model"), nobody_stops, {}, &weights))
      CHECK(error == "");
    CHECK(contents(folder / "model") == contents(folder / "alone"));
    for (const auto& of_rank : weights) CHECK(of_rank == alone.dense.weight.to_vector<float>());
  }
  Line whole = untrained();
  quietly(whole, three_epochs(folder / "whole"));
  CHECK(contents(folder / "whole") != contents(folder / "alone"));  // other dropout
}

TEST_CASE("shards learn what a whole batch learns") {
  const Folder folder;
  Task<Line, Tensor> task = line_task();
  task.loss = [loss = task.loss](Line& line, const Tensor& x, Generator*) {
    return BatchLoss{loss(line, x, nullptr).sum, x.size(0)};
  };
  Line whole = untrained(), parts = untrained();
  const TrainReport a = quietly(whole, three_epochs(folder / "whole"), never, task);
  const TrainReport b = quietly(parts, in_shards(folder / "parts", 2), never, task);
  for (size_t i = 0; i < a.epochs.size(); ++i)
    CHECK(a.epochs[i].train_loss == doctest::Approx(b.epochs[i].train_loss).epsilon(1e-4));
}

TEST_CASE("a run goes on with another number of ranks, to the bits of one that was not stopped") {
  const Folder folder;
  Line whole = untrained();
  quietly(whole, in_shards(folder / "whole"));
  for (const auto& [first, second, batches] :
       std::vector<std::array<int, 3>>{{2, 3, 7}, {4, 1, 20}, {1, 2, 33}}) {
    const int count = batches;
    CAPTURE(count);
    TrainOptions options = in_shards(folder / "parts");
    // One rank is asked to stop; all do.
    int rank = 0;
    std::mutex mutex;
    const auto stop_of_one = [&]() -> std::function<bool()> {
      const std::lock_guard lock(mutex);
      return rank++ == 0 ? after(count) : std::function<bool()>(never);
    };
    for (const std::string& error : train_on(first, options, stop_of_one)) CHECK(error == "");
    CHECK(std::filesystem::exists(folder / "parts.checkpoint"));
    options.resume = true;
    for (const std::string& error : train_on(second, options, nobody_stops)) CHECK(error == "");
    CHECK(contents(folder / "parts") == contents(folder / "whole"));
  }
}

TEST_CASE("a checkpoint of other shards is refused") {
  const Folder folder;
  Line line = untrained();
  quietly(line, in_shards(folder / "model"), after(3));
  TrainOptions options = in_shards(folder / "model", 4);
  options.resume = true;
  CHECK(contains(error_of([&] { quietly(line, options); }), "shards: 5 in the checkpoint, 4 now"));
  options.shards = 0;
  CHECK(
      contains(error_of([&] { quietly(line, options); }), "shards: 5 in the checkpoint, none now"));
}

TEST_CASE("ranks with other options or data, or too many of them, do not begin to train") {
  const Folder folder;
  using T = Task<Line, Tensor>&;
  const auto errors = [&](int size, auto change) {
    return train_on(size, in_shards(folder / "model"), nobody_stops,
                    [&](int rank, TrainOptions& options, T task) {
                      if (rank == 1) change(options, task);
                    });
  };
  for (const std::string& error : errors(2, [](TrainOptions&o, T) { o.learning_rate = 0.5; }))
    CHECK(contains(error, "rate: 0.5 on rank 1, 0.05 on rank 0"));
  for (const std::string& error : errors(3, [](TrainOptions&, T task) { task.data["points"] = 9; }))
    CHECK(contains(error, "checksum of the points: 9 on rank 1, 17 on rank 0"));
  for (const std::string& error : errors(6, [](TrainOptions&, T) {}))
    CHECK(contains(error, "6 ranks need --shards of 6 or more, got 5"));
  CHECK_FALSE(std::filesystem::exists(folder / "model.checkpoint"));
}
