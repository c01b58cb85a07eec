#include "optim/moving_average.h"

#include "core/autograd/autograd.h"
#include "core/tensor/error.h"
#include "core/tensor/random.h"
#include "tests/optim/golden.h"

using namespace gradus;
using nlohmann::json;

namespace {

std::vector<Tensor> two_parameters(double value = 1) {
  std::vector<Tensor> parameters{full({2, 3}, value).require_grad(),
                                 full({4}, value).require_grad()};
  parameters[0].set_name("weight");
  parameters[1].set_name("bias");
  return parameters;
}

void set_random(const std::vector<Tensor>& parameters, Generator& generator) {
  for (Tensor p : parameters) p.assign(random_normal(p.shape(), 0, 1, generator));
}

}  // namespace

TEST_CASE("the average is PyTorch's, or with bias correction the weighted mean of all updates") {
  const json golden_averages = golden("averages");
  REQUIRE(golden_averages.at("cases").size() == 3);
  for (const json& item : golden_averages.at("cases"))
    for (const bool corrected : {false, true}) {
      const double decay = item.at("decay");
      CAPTURE(decay);
      CAPTURE(corrected);
      std::vector<Tensor> parameters{zeros({2, 3}).require_grad(), zeros({2}).require_grad()};
      ExponentialMovingAverage average(parameters, {.decay = decay, .bias_correction = corrected});
      for (size_t t = 0; t < item.at("values").size(); ++t) {
        CAPTURE(t);
        for (size_t i = 0; i < 2; ++i)
          parameters[i].assign(to_tensor(item["values"][t][i], parameters[i].shape()));
        average.update();
        const auto averages = average.averages();
        for (size_t i = 0; i < 2; ++i)
          CHECK(close(averages.at(std::to_string(i)).to_vector<double>(),
                      item[corrected ? "corrected" : "averages"][t][i], 1e-6, 1));
      }
    }
}

TEST_CASE("the first update is the parameters to the bit, whatever they were before") {
  for (const bool corrected : {false, true}) {
    const auto parameters = two_parameters(1e30);
    ExponentialMovingAverage average(parameters, {.decay = 0.9, .bias_correction = corrected});
    Generator generator(1);
    set_random(parameters, generator);
    average.update();
    CHECK(average.averages().at("bias").to_vector<float>() == parameters[1].to_vector<float>());
  }
}

TEST_CASE("inside UseAverages the parameters hold their averages, after it their own bits") {
  const auto parameters = two_parameters();
  ExponentialMovingAverage average(parameters, {.decay = 0.5});
  average.update();
  Generator generator(2);
  set_random(parameters, generator);
  average.update();
  const auto averages = average.averages();
  const auto before = parameters[0].to_vector<float>();
  {
    const UseAverages use(average);
    CHECK(average.swapped());
    CHECK(parameters[0].to_vector<float>() == averages.at("weight").to_vector<float>());
    CHECK(parameters[1].to_vector<float>() == averages.at("bias").to_vector<float>());
    CHECK(parameters[0].requires_grad());
  }
  CHECK_FALSE(average.swapped());
  CHECK(parameters[0].to_vector<float>() == before);
  CHECK(average.averages().at("weight").to_vector<float>() ==
        averages.at("weight").to_vector<float>());
}

TEST_CASE("averages are copies: neither training nor the average reaches them") {
  const auto parameters = two_parameters();
  ExponentialMovingAverage average(parameters, {.decay = 0.5});
  average.update();
  const Tensor kept = average.averages().at("weight");
  Generator generator(3);
  set_random(parameters, generator);
  average.update();
  CHECK(kept.to_vector<double>() == std::vector<double>(6, 1));
}

TEST_CASE("saved and restored, the average goes on to the same bits") {
  for (const bool corrected : {false, true}) {
    const MovingAverageOptions options{.decay = 0.9, .bias_correction = corrected};
    const auto parameters = two_parameters();
    ExponentialMovingAverage average(parameters, options);
    Generator generator(4);
    auto train = [&](ExponentialMovingAverage& by) {
      for (int i = 0; i < 3; ++i) {
        set_random(parameters, generator);
        by.update();
      }
    };
    train(average);
    ExponentialMovingAverage resumed(parameters, options);
    resumed.set_state(average.state());
    const uint64_t seed = generator.state();
    train(average);
    generator.set_state(seed);
    train(resumed);
    CHECK(average.averages().at("weight").to_vector<float>() ==
          resumed.averages().at("weight").to_vector<float>());
  }
}

TEST_CASE("an update while the averages are in use, and a state of others, are refused") {
  const auto parameters = two_parameters();
  ExponentialMovingAverage average(parameters);
  {
    const UseAverages use(average);
    CHECK_THROWS_WITH_AS(average.update(),
                         "ExponentialMovingAverage: update: the parameters hold their averages: "
                         "swap() back first",
                         Error);
    CHECK_THROWS_AS(average.state(), Error);
    CHECK_THROWS_AS(average.averages(), Error);
    CHECK_THROWS_AS(average.set_state({}), Error);
  }
  auto state = average.state();
  state.erase("updates");
  state["weight.average"] = zeros({3, 2});
  CHECK_THROWS_WITH_AS(average.set_state(state),
                       "ExponentialMovingAverage: the state does not fit the parameters:\n"
                       "  missing: 'updates', int64 ()\n"
                       "  different: 'weight.average': expected float32 (2, 3), got float32 (3, 2)",
                       Error);
  CHECK_THROWS_WITH_AS(ExponentialMovingAverage(parameters, {.decay = 1}),
                       "ExponentialMovingAverage: expected decay in [0, 1), got 1", Error);
  CHECK_THROWS_WITH_AS(ExponentialMovingAverage({}),
                       "ExponentialMovingAverage: expected at least one parameter, got none",
                       Error);
  CHECK_THROWS_AS(ExponentialMovingAverage({zeros({2})}), Error);
}
