#include "core/tensor/random.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/core.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

TEST_CASE("a seed gives the same bits everywhere: those of SplitMix64") {
  Generator generator(1234567);
  // The published test values of the reference implementation.
  for (uint64_t expected : {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                            4593380528125082431u, 16408922859458223821u})
    CHECK(generator.next() == expected);
}

TEST_CASE("a generator continues from its saved state") {
  Generator generator(7);
  generator.normal();
  const uint64_t state = generator.state();
  const uint64_t next = generator.next();
  Generator other(0);
  other.set_state(state);
  CHECK(other.next() == next);
}

TEST_CASE("one seed fills tensors with the same numbers, another with others") {
  Generator a(1), b(1), c(2);
  const std::vector<double> first = values(random_normal({100}, 0, 1, a));
  CHECK(first == values(random_normal({100}, 0, 1, b)));
  CHECK(first != values(random_normal({100}, 0, 1, c)));
  CHECK(first != values(random_normal({100}, 0, 1, a)));
}

TEST_CASE("uniform numbers fill their interval evenly") {
  Generator generator(1);
  const int64_t n = 100'000;
  const Tensor x = random_uniform({n}, -2, 6, generator, DType::float64);
  CHECK(min(x).item() >= -2);
  CHECK(max(x).item() < 6);
  std::vector<int> bins(8);
  for (double value : values(x)) ++bins[static_cast<size_t>(value + 2)];
  double chi_squared = 0;
  for (int count : bins) chi_squared += std::pow(count - n / 8.0, 2) / (n / 8.0);
  CHECK(chi_squared < 24.3);  // exceeded once in a thousand seeds
}

TEST_CASE("a number that would round up to the open end of its interval stays below it") {
  Generator generator(0x9e3779b97f4a7c15 * 1'869'153);
  REQUIRE(static_cast<float>(Generator(generator).uniform()) == 1);
  CHECK(random_uniform({}, 0, 1, generator).item() < 1);
  CHECK(random_uniform({}, 2, 2, generator).item() == 2);
}

TEST_CASE("normal numbers have the moments and the tails of the normal distribution") {
  Generator generator(1);
  const int64_t n = 200'000;
  const Tensor z = (random_normal({n}, 3, 2, generator, DType::float64) - 3) / 2;
  const double error = 5 / std::sqrt(n);  // five standard errors of the mean
  CHECK(std::abs(mean(z).item()) < error);
  CHECK(std::abs(mean(z * z).item() - 1) < error * std::sqrt(2));
  CHECK(std::abs(mean(z * z * z).item()) < error * std::sqrt(15));
  CHECK(std::abs(mean(z * z * z * z).item() - 3) < error * std::sqrt(96));
  CHECK(std::abs(mean(greater(abs(z), 1.959964)).item() - 0.05) < error * std::sqrt(0.0475));
}

TEST_CASE("whole numbers below n are all as likely") {
  Generator generator(1);
  std::vector<int> counts(6);
  for (int i = 0; i < 60'000; ++i) ++counts[static_cast<size_t>(generator.below(6))];
  double chi_squared = 0;
  for (int count : counts) chi_squared += std::pow(count - 10'000.0, 2) / 10'000;
  CHECK(chi_squared < 20.5);  // exceeded once in a thousand seeds
  CHECK(generator.below(1) == 0);
  CHECK(error_of([&] { generator.below(0); }) == "random: expected a range of at least 1, got 0");
}

TEST_CASE("a permutation holds every number once, in an order that differs each time") {
  Generator generator(1);
  const std::vector<int64_t> first = generator.permutation(100),
                             second = generator.permutation(100);
  std::vector<int64_t> sorted = first, all(100);
  std::sort(sorted.begin(), sorted.end());
  std::iota(all.begin(), all.end(), 0);
  CHECK(sorted == all);
  CHECK(first != all);
  CHECK(first != second);
  CHECK(generator.permutation(0).empty());
}

TEST_CASE("each of the six orders of three is as likely") {
  Generator generator(2);
  std::vector<int> counts(9);
  for (int i = 0; i < 6'000; ++i) {
    const std::vector<int64_t> order = generator.permutation(3);
    ++counts[static_cast<size_t>(order[0] * 3 + order[1])];
  }
  for (size_t i : {1u, 2u, 3u, 5u, 6u, 7u}) CHECK(std::abs(counts[i] - 1000) < 150);
}

TEST_CASE("dropout keeps the mean, drops its rate and does nothing without a generator") {
  Generator generator(1);
  const Tensor x = ones({100'000}), y = dropout(x, 0.3, &generator);
  CHECK(mean(equal(y, 0)).item() == doctest::Approx(0.3).epsilon(0.02));
  CHECK(mean(y).item() == doctest::Approx(1).epsilon(0.01));
  CHECK(max(y).item() == doctest::Approx(1 / 0.7));
  CHECK(values(dropout(x, 0.3, nullptr)) == values(x));
  for (double rate : {-0.1, 1.0})
    CHECK(error_of([&] { dropout(x, rate, &generator); }) ==
          fmt::format("dropout: expected a rate in [0, 1), got {}", rate));
}

TEST_CASE("integers are not drawn as real numbers") {
  Generator generator(1);
  CHECK(error_of([&] { random_normal({2}, 0, 1, generator, DType::int64); }) ==
        "random_normal: expected float32 or float64, got int64; cast() it first");
}
