#include "optim/training_state.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "core/core.h"
#include "core/files/safetensors.h"
#include "core/tensor/error.h"
#include "tests/files.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

/// All that a training run consists of.
struct Run {
  Tensor weight, bias, frozen;
  Generator generator{7}, noise{8};
  Adam adam;
  ExponentialMovingAverage average;
  ReduceOnPlateau plateau{0.1, {.factor = 0.5, .patience = 1}};
  int64_t steps = 0;
  double loss_sum = 0;

  explicit Run(double start = 0.5)
      : weight(named("weight", {3, 2}, start)),
        bias(named("bias", {2}, start)),
        frozen(full({2}, start)),
        adam({weight, bias}),
        average({weight, bias}, {.decay = 0.9}) {}

  static Tensor named(const char* name, const Shape& shape, double value) {
    const Tensor x = full(shape, value).require_grad();
    x.set_name(name);
    return x;
  }

  TrainingState state() {
    return {{"model", {{{"weight", weight}, {"bias", bias}, {"frozen", frozen}}}},
            {"adam", &adam},
            {"average", &average},
            {"plateau", &plateau},
            {"generator", &generator},
            {"noise", &noise},
            {"steps", &steps},
            {"loss_sum", &loss_sum}};
  }

  void train(int count) {
    for (int i = 0; i < count; ++i) {
      const Tensor x = random_normal({4, 3}, 0, 1, generator);
      const Tensor y = matmul(x, weight) + bias + frozen + random_normal({4, 2}, 0, 1, noise);
      const Tensor loss = mean(y * y);
      adam.zero_grad();
      loss.backward();
      adam.learning_rate = plateau.update(loss.item());
      adam.step();
      average.update();
      ++steps;
      loss_sum += loss.item();
    }
  }

  /// Everything, as the bytes of a file.
  std::string bytes() {
    const Folder folder;
    save_training_state(folder / "f", state());
    return contents(folder / "f");
  }
};

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a run that is saved and loaded into fresh objects goes on to the same bits") {
  const Folder folder;
  Run run;
  run.train(7);
  save_training_state(folder / "run", run.state(), {{"note", "week 3"}});
  Run resumed(0.25);
  CHECK(resumed.bytes() != run.bytes());
  CHECK(load_training_state(folder / "run", resumed.state()) ==
        std::map<std::string, std::string>{{"note", "week 3"}});
  CHECK(resumed.bytes() == run.bytes());
  CHECK(resumed.steps == 7);
  run.train(5);
  resumed.train(5);
  CHECK(resumed.bytes() == run.bytes());
  CHECK(resumed.loss_sum == run.loss_sum);
  CHECK(resumed.adam.state().at("bias.step").item() == 12);
}

TEST_CASE("numbers come back to the bit: large seeds, infinities, NaN, negative zero") {
  const Folder folder;
  Generator generator(std::numeric_limits<uint64_t>::max());
  int64_t low = std::numeric_limits<int64_t>::min();
  double infinite = -std::numeric_limits<double>::infinity(), nan = std::nan(""), zero = -0.0;
  const TrainingState state{{"generator", &generator},
                            {"low", &low},
                            {"infinite", &infinite},
                            {"nan", &nan},
                            {"zero", &zero}};
  save_training_state(folder / "f", state);
  generator.set_state(3);
  low = 0;
  infinite = nan = zero = 1;
  load_training_state(folder / "f", state);
  CHECK(generator.state() == std::numeric_limits<uint64_t>::max());
  CHECK(low == std::numeric_limits<int64_t>::min());
  CHECK(infinite == -std::numeric_limits<double>::infinity());
  CHECK(std::isnan(nan));
  CHECK(std::signbit(zero));
}

TEST_CASE("tensors are called after their part in the file") {
  const Folder folder;
  Run run;
  run.train(1);
  save_training_state(folder / "f", run.state());
  const TensorFile file = load_tensors(folder / "f");
  for (const char* name : {"model.weight", "model.frozen", "adam.weight.first_moment",
                           "adam.bias.step", "average.updates", "average.bias.average",
                           "plateau.best", "generator", "noise", "steps", "loss_sum"}) {
    CAPTURE(name);
    CHECK(file.tensors.contains(name));
  }
  CHECK(file.tensors.at("steps").item() == 1);
}

TEST_CASE("a file of another run is refused with all that differs, and nothing changes") {
  const Folder folder;
  Run run;
  run.train(3);
  TrainingState other = run.state();
  other.erase("noise");
  other.at("model") = StatePart({{"weight", zeros({2, 3})}, {"bias", run.bias}});
  double extra = 1;
  other.emplace("extra", &extra);
  save_training_state(folder / "other", other);
  const std::string before = run.bytes();
  CHECK(error_of([&] { load_training_state(folder / "other", run.state()); }) ==
        (folder / "other") +
            ": the file does not fit the training state:\n"
            "  missing: 'model.frozen', float32 (2)\n"
            "  different: 'model.weight': expected float32 (3, 2), got float32 (2, 3)\n"
            "  missing: 'noise', int64 ()\n"
            "  unknown: 'extra', float64 ()");
  CHECK(run.bytes() == before);
}

TEST_CASE("a check of the text comes first and can refuse the file") {
  const Folder folder;
  Run run;
  save_training_state(folder / "f", run.state(), {{"corpus", "A"}});
  run.train(1);
  const std::string before = run.bytes();
  CHECK(error_of([&] {
          load_training_state(folder / "f", run.state(), [](const TensorFile& file) {
            throw Error("made with corpus " + file.metadata.at("corpus"));
          });
        }) == (folder / "f") + ": made with corpus A");
  CHECK(run.bytes() == before);
}

TEST_CASE("two parts that give one name, and averages in use, are not saved") {
  const Folder folder;
  double number = 0;
  CHECK(error_of([&] {
          save_training_state(folder / "f", {{"a", {{{"b", zeros({1})}}}}, {"a.b", &number}});
        }) == "training state: two parts hold a tensor 'a.b': rename one of them");
  Run run;
  {
    const UseAverages use(run.average);
    CHECK(contains(error_of([&] { save_training_state(folder / "f", run.state()); }), "swap()"));
  }
  CHECK_FALSE(std::filesystem::exists(folder / "f"));
}

TEST_CASE("a damaged file leaves the run as it is") {
  const Folder folder;
  Run run;
  save_training_state(folder / "f", run.state());
  const std::string whole = contents(folder / "f");
  write(folder / "f", whole.substr(0, whole.size() - 1));
  run.train(2);
  const std::string before = run.bytes();
  CHECK(
      error_of([&] { load_training_state(folder / "f", run.state()); }).starts_with(folder / "f"));
  CHECK(run.bytes() == before);
}
