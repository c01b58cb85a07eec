#include "optim/schedule.h"

#include <cmath>

#include "core/tensor/error.h"
#include "tests/optim/golden.h"

using namespace gradus;
using nlohmann::json;

TEST_CASE("cosine, warm-up and inverse square root give PyTorch's rates at every step") {
  const json rates = golden("schedules");
  const std::vector<std::pair<const char*, Schedule>> schedules{
      {"cosine", cosine(0.3, 20, 0.01)},
      {"warm_up", warm_up(5, constant(0.3))},
      {"warm_up_cosine", warm_up(5, cosine(0.3, 20, 0.01))},
      {"inverse_square_root", inverse_square_root(1 / std::sqrt(512.0 * 10), 10)}};
  REQUIRE(rates.size() == schedules.size());
  for (const auto& row : schedules) {
    const auto& name = row.first;
    const auto& schedule = row.second;
    CAPTURE(name);
    std::vector<double> given;
    for (size_t step = 0; step < rates.at(name).size(); ++step)
      given.push_back(schedule(static_cast<int64_t>(step)));
    CHECK(close(given, rates.at(name), 1e-12));
  }
}

TEST_CASE("after its last step the cosine stays at the floor") {
  CHECK(cosine(0.3, 20, 0.01)(1000) == doctest::Approx(0.01));
}

TEST_CASE("the rate is reduced on a plateau when PyTorch reduces it") {
  const json cases = golden("plateau");
  REQUIRE(cases.size() == 3);
  for (const json& item : cases) {
    const json& options = item.at("options");
    CAPTURE(options.dump());
    ReduceOnPlateau plateau(0.1,
                            {.better = options.at("mode") == "min" ? Better::lower : Better::higher,
                             .factor = options.at("factor"),
                             .patience = options.at("patience"),
                             .threshold = options.at("threshold"),
                             .lowest_rate = options.value("min_lr", 0.0)});
    std::vector<double> rates;
    for (const json& result : item.at("results")) {
      const auto state = plateau.state;
      const double number = result.is_null() ? std::nan("") : result.get<double>();
      rates.push_back(plateau.update(number));
      plateau.state = state;  // going back and on again ends in the same place
      CHECK(plateau.update(number) == rates.back());
    }
    CHECK(close(rates, item.at("rates"), 1e-12));
  }
}

TEST_CASE("negative results that fall short of the threshold are a plateau too") {
  ReduceOnPlateau plateau(1, {.better = Better::higher, .factor = 0.5, .patience = 0});
  CHECK(plateau.update(-10) == 1);
  CHECK(plateau.update(-9.9995) == 0.5);
  CHECK(plateau.update(-9) == 0.5);
}

TEST_CASE("schedules refuse values outside their range") {
  CHECK_THROWS_WITH_AS(warm_up(0, constant(1)), "warm_up: expected at least 1 step, got 0", Error);
  CHECK_THROWS_AS(cosine(1, 0), Error);
  CHECK_THROWS_AS(inverse_square_root(1, -5), Error);
  CHECK_THROWS_WITH_AS(ReduceOnPlateau(1, {.factor = 1}),
                       "ReduceOnPlateau: expected factor in (0, 1), got 1", Error);
  CHECK_THROWS_AS(ReduceOnPlateau(1, {.patience = -1}), Error);
  CHECK_THROWS_AS(ReduceOnPlateau(1, {.threshold = -1}), Error);
  CHECK_THROWS_AS(ReduceOnPlateau(1, {.lowest_rate = 2}), Error);
  CHECK_THROWS_AS(ReduceOnPlateau(-1), Error);
}
