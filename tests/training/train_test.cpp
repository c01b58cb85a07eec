#include "examples/training/train.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "examples/training/file_lock.h"
#include "tests/files.h"
#include "tests/training/line.h"

using namespace gradus;
using namespace gradus::testing;
using namespace gradus::training;

TEST_CASE("a task of a few lines is learned, and its best model is in its file") {
  const Folder folder;
  Line line = untrained();
  TrainOptions options = three_epochs(folder / "model");
  options.epochs = 30;
  const TrainReport report = quietly(line, options);
  CHECK(report.best_epoch().figures[0] < 0.1);
  const TensorFile file = open_model(folder / "model", "straight line");
  CHECK(file.metadata == line_task().about);
  CHECK(file.tensors.at("dense.weight").to_vector<float>() == line.dense.weight.to_vector<float>());
}

TEST_CASE("a run that was stopped anywhere ends with the bits of one that was not") {
  const Folder folder;
  Line whole = untrained();
  const TrainReport expected = quietly(whole, three_epochs(folder / "whole"));
  for (const int batches : {1, 19, 20, 21, 60}) {
    CAPTURE(batches);
    TrainOptions options = three_epochs(folder / "parts");
    Line first = untrained();
    CHECK(quietly(first, options, after(batches)).interrupted);
    options.resume = true;
    Line second = untrained(99);  // weights come from the file
    const TrainReport report = quietly(second, options);
    CHECK(contents(folder / "parts") == contents(folder / "whole"));
    REQUIRE(report.epochs.size() == expected.epochs.size());
    for (size_t i = 0; i < report.epochs.size(); ++i) {
      CHECK(report.epochs[i].train_loss == expected.epochs[i].train_loss);
      CHECK(report.epochs[i].figures == expected.epochs[i].figures);
    }
  }
}

TEST_CASE("weight decay makes matrices smaller, also in a run that was stopped") {
  const Folder folder;
  Line plain = untrained(), whole = untrained(), parts = untrained();
  TrainOptions options = three_epochs(folder / "plain");
  quietly(plain, options);
  options.weight_decay = 2;
  options.model_path = folder / "whole";
  quietly(whole, options);
  const auto slope = [](Line& of) { return std::abs(of.dense.weight.to_vector<double>()[1]); };
  CHECK(slope(whole) < 0.8 * slope(plain));
  options.model_path = folder / "parts";
  quietly(parts, options, after(33));
  options.resume = true;
  quietly(parts, options);
  CHECK(contents(folder / "parts") == contents(folder / "whole"));
  options.weight_decay = 0;
  CHECK(contains(error_of([&] { quietly(parts, options); }),
                 "weight decay: 2.0 in the checkpoint, none now"));
}

TEST_CASE("a run that was killed within an epoch goes on from its last checkpoint") {
  const Folder folder;
  Line whole = untrained();
  quietly(whole, three_epochs(folder / "whole"));
  TrainOptions options = three_epochs(folder / "killed");
  options.save_every = 0;
  Task<Line, Tensor> task = line_task();
  task.loss = [loss = task.loss, left = 34](Line& line, const Tensor& x, Generator* g) mutable {
    if (--left == 0) throw std::runtime_error("killed");
    return loss(line, x, g);
  };
  Line first = untrained();
  CHECK(error_of([&] { quietly(first, options, never, task); }) == "killed");
  options.resume = true;
  Line second = untrained(99);
  int batches = 0;
  quietly(second, options, [&] { return ++batches < 0; });
  CHECK(batches == 60 - 33);
  CHECK(contents(folder / "killed") == contents(folder / "whole"));
}

TEST_CASE("what an epoch begins with depends on its number, resumed or not") {
  const Folder folder;
  double scale = 0;
  Task<Line, Tensor> task = line_task();
  task.begin_epoch = [&](Line&, int64_t epoch) { scale = epoch < 3 ? 1 : 0.5; };
  task.loss = [&, loss = task.loss](Line& line, const Tensor& x, Generator* generator) {
    const BatchLoss of_batch = loss(line, x, generator);
    return BatchLoss{of_batch.sum * scale, of_batch.items};
  };
  Line whole = untrained();
  quietly(whole, three_epochs(folder / "whole"), never, task);
  Line plain = untrained();
  quietly(plain, three_epochs(folder / "plain"));
  CHECK(contents(folder / "plain") != contents(folder / "whole"));
  TrainOptions options = three_epochs(folder / "parts");
  Line first = untrained();
  quietly(first, options, after(47), task);
  scale = 0;
  options.resume = true;
  Line second = untrained(99);
  quietly(second, options, never, task);
  CHECK(contents(folder / "parts") == contents(folder / "whole"));
}

TEST_CASE("training stops when no epoch is better for a while; the best model stays") {
  const Folder folder;
  Task<Line, Tensor> task = line_task();
  int epoch = 0;
  task.figures = {{"loss", "{}"}, {"score", "{}"}};
  task.validate = [&](Line&) {
    const double scores[] = {1, 5, 5, 4, 9, 0, 0, 0, 0, 0};
    return Figures{epoch == 2 ? 0.5 : 1, scores[epoch++]};
  };
  TrainOptions options = three_epochs(folder / "model");
  options.epochs = 10;
  options.patience = 3;
  const auto run = [&](const Better& better) {
    epoch = 0;
    task.better = better;
    Line line = untrained();
    const TrainReport report = quietly(line, options, never, task);
    CHECK(std::ssize(report.epochs) == report.best + 1 + 3);
    return report.best_epoch().epoch;
  };
  CHECK(run(higher(1)) == 5);
  CHECK(run(lower(0)) == 3);
  options.patience = 1;
  options.epochs = 3;
  epoch = 0;
  task.better = higher(1);
  Line line = untrained();
  CHECK(quietly(line, options, never, task).best_epoch().epoch == 3);  // the lower loss of two
}

TEST_CASE("a model with figures or parameters that are not finite is not kept") {
  const Folder folder;
  Task<Line, Tensor> task = line_task();
  int epoch = 0;
  task.validate = [&](Line&) { return Figures{++epoch == 2 ? 2.0 : std::nan("")}; };
  Line line = untrained();
  CHECK(quietly(line, three_epochs(folder / "model"), never, task).best_epoch().epoch == 2);
  task.validate = [](Line&) { return Figures{HUGE_VAL}; };
  Line other = untrained();
  CHECK(contains(error_of([&] { quietly(other, three_epochs(folder / "m"), never, task); }),
                 "train with a lower --rate or --clip"));
  task.validate = [](Line& of) {
    of.dense.weight.mutable_span<float>()[0] = NAN;
    return Figures{1};
  };
  CHECK(error_of([&] { quietly(other, three_epochs(folder / "m"), never, task); }) != "");
  CHECK_FALSE(std::filesystem::exists(folder / "m"));
}

TEST_CASE("a checkpoint of other data, of other options or of another program is refused") {
  const Folder folder;
  TrainOptions options = three_epochs(folder / "model");
  Line line = untrained();
  quietly(line, options, after(3));
  options.resume = true;
  const auto error = [&](auto change) {
    Task<Line, Tensor> task = line_task();
    change(task);
    return error_of([&] { quietly(line, options, never, task); });
  };
  using T = Task<Line, Tensor>&;
  CHECK(contains(error([](T task) { task.data["points"] = 18; }),
                 "checksum of the points: 17 in the checkpoint, 18 now"));
  CHECK(contains(error([](T task) {
                   task.about = description("straight line", {{"inputs", 3}});
                 }),
                 "inputs: 2 in the checkpoint, 3 now"));
  CHECK(contains(error([](T task) {
                   task.about = description("parabola", {{"inputs", 2}});
                 }),
                 "model.checkpoint: not a checkpoint of this parabola, but of a straight line"));
  CHECK(error([](T) {}) == "");
}

TEST_CASE("a task that gives no batch, or another number of figures, is told so") {
  const Folder folder;
  Line line = untrained();
  Task<Line, Tensor> task = line_task();
  task.figures.push_back({"more", "{}"});
  CHECK(error_of([&] { quietly(line, three_epochs(folder / "m"), never, task); }) ==
        "train: expected 2 figures of the validation, got 1");
  task.batches = [](Generator&) { return std::vector<Tensor>(); };
  CHECK(contains(error_of([&] { quietly(line, three_epochs(folder / "m"), never, task); }),
                 "expected at least one batch in an epoch, got none"));
  CHECK(contains(error_of([&] { mean_loss(line, std::vector<Tensor>(), task.loss); }),
                 "expected at least one batch to validate on"));
  CHECK(mean_loss(line, std::vector<Tensor>{ones({3, 2}), ones({3, 2})}, task.loss) ==
        doctest::Approx(task.loss(line, ones({3, 2}), nullptr).sum.item() / 3));
}

TEST_CASE("nobody trains into a model that somebody else trains into") {
  const Folder folder;
  Line line = untrained();
  {
    const FileLock lock(folder / "model");
    CHECK(contains(error_of([&] { quietly(line, three_epochs(folder / "model")); }),
                   "is training into it"));
  }
  CHECK_FALSE(std::filesystem::exists(folder / "model.lock"));
  quietly(line, three_epochs(folder / "model"));
}

TEST_CASE("a best model that somebody else has replaced is not reported as this run's") {
  const Folder folder;
  Line line = untrained();
  auto worse_each_time = line_task();
  worse_each_time.validate = [figure = 0.0](Line&) mutable { return Figures{++figure}; };
  const auto replace_in_the_second_epoch = [&, batch = 0]() mutable {
    if (++batch == 30) {
      Line other = untrained(2);
      save_tensors(folder / "model", {named_tensors(other), worse_each_time.about});
    }
    return false;
  };
  CHECK(contains(error_of([&] {
                   quietly(line, three_epochs(folder / "model"), replace_in_the_second_epoch,
                           worse_each_time);
                 }),
                 "was replaced by another program; the best model of this run, epoch 1, is lost"));
}
