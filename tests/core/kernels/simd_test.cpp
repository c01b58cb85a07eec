#include "core/kernels/simd.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "core/tensor/random.h"
#include "core/tensor/tensor.h"
#include "tests/core/kernels/each_instruction_set.h"

namespace gradus::simd {

namespace {

std::vector<float> normal(int64_t n) {
  static Generator generator(1);
  return random_normal({n}, 0, 1, generator).to_vector<float>();
}

bool close(double value, double wanted, double tolerance) {
  return std::abs(value - wanted) <= tolerance * std::max(1.0, std::abs(wanted));
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

TEST_CASE("each instruction set sums, finds the largest and shifts exponentials") {
  for (const Kernels<float>* kernels : all_compiled<Kernels<float>>())
    for (const int64_t n : {1, 7, 64, 1000}) {
      const auto x = normal(n), y = normal(n);
      std::vector<float> e(x.size());
      kernels->exp_shifted(x.data(), 0.5F, e.data(), n);
      double sum = 0, dot = 0, largest = -1e9;
      for (size_t i = 0; i < x.size(); ++i) {
        sum += x[i];
        dot += static_cast<double>(x[i]) * y[i];
        largest = std::max<double>(largest, x[i]);
        REQUIRE(close(e[i], std::exp(static_cast<double>(x[i]) - 0.5), 1e-5));
      }
      CHECK(close(kernels->sum(x.data(), n), sum, 1e-4));
      CHECK(close(kernels->dot(x.data(), y.data(), n), dot, 1e-4));
      CHECK(kernels->max(x.data(), n) == static_cast<float>(largest));
    }
}

TEST_CASE("float32's exp, sigmoid and tanh are right to eight units in the last place") {
  struct Row {
    const char* name;
    int index;
    double first, last;
    double (*exact)(double);
  };
  const Row functions[] = {{"exp", index_of("exp"), -87, 89, std::exp},
                           {"sigmoid", index_of("sigmoid"), -87, 89, sigmoid},
                           {"tanh", index_of("tanh"), -10, 10, std::tanh}};
  constexpr int64_t n = 200'001;
  std::vector<float> x(n), y(n);
  for (const Kernels<float>* kernels : all_compiled<Kernels<float>>())
    for (const Row& row : functions) {
      for (int64_t i = 0; i < n; ++i)
        x[static_cast<size_t>(i)] = static_cast<float>(
            row.first + (row.last - row.first) * static_cast<double>(i) / (n - 1));
      kernels->functions[row.index](x.data(), x.data(), x.data(), y.data(), n);
      double worst = 0;
      for (size_t i = 0; i < n; ++i) {
        const double wanted = row.exact(x[i]), given = y[i];
        const auto rounded = static_cast<float>(std::abs(wanted));
        if (std::isinf(rounded)) {
          REQUIRE(std::isinf(given));
          continue;
        }
        const float unit = std::nextafter(rounded, INFINITY) - rounded;
        worst = std::max(worst, std::abs(given - wanted) / unit);
      }
      INFO(row.name);
      CHECK(worst <= 8);  // 5.6 with fused multiply-adds, 6.5 without
      CHECK(worst > 0);
    }
}

TEST_CASE("sigmoid is 1 where it rounds to 1, so that x · (1 − sigmoid(x)) vanishes") {
  const std::vector<float> x{17.5F, 20, 40, 88, 100, 1e4F, 1e20F, INFINITY};
  for (const Kernels<float>* kernels : all_compiled<Kernels<float>>()) {
    std::vector<float> y(x.size());
    kernels->functions[index_of("sigmoid")](x.data(), x.data(), x.data(), y.data(),
                                            static_cast<int64_t>(x.size()));
    for (const float value : y) CHECK(value == 1);
  }
}

}  // namespace gradus::simd
