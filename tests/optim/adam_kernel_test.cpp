#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "core/tensor/random.h"
#include "optim/adam.simd.h"
#include "tests/core/kernels/each_instruction_set.h"

using namespace gradus;

TEST_CASE("each instruction set computes a step of Adam by its formula") {
  constexpr size_t n = 21;
  Generator generator(1);
  auto normal = [&] { return random_normal({n}, 0, 1, generator).to_vector<float>(); };
  auto is = [](float value, double expected) {
    CHECK(value == doctest::Approx(expected).epsilon(1e-5).scale(1));
  };
  for (const auto* kernel : simd::all_compiled<simd::AdamKernel<float>>()) {
    const auto g = normal(), p0 = normal(), m0 = normal();
    auto v0 = normal();
    for (float& x : v0) x = std::abs(x);
    auto p = p0, m = m0, v = v0;
    const simd::AdamStep<float> step{.pull = 0.1F,
                                     .beta1 = 0.9F,
                                     .beta2 = 0.99F,
                                     .rest1 = 0.1F,
                                     .rest2 = 0.01F,
                                     .shrink = 0.98F,
                                     .stride = 0.5F,
                                     .inverse_root = 1.5F,
                                     .epsilon = 1e-3F};
    kernel->update(step, g.data(), p.data(), m.data(), v.data(), n);
    for (size_t j = 0; j < n; ++j) {
      const double gradient = g[j] + 0.1 * p0[j];
      const double first = 0.9 * m0[j] + 0.1 * gradient;
      const double second = 0.99 * v0[j] + 0.01 * gradient * gradient;
      is(m[j], first);
      is(v[j], second);
      is(p[j], 0.98 * p0[j] - 0.5 * first / (std::sqrt(second) * 1.5 + 1e-3));
    }
  }
}
