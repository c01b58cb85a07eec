#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "core/tensor/random.h"
#include "layers/recurrent/lstm.simd.h"
#include "tests/core/kernels/each_instruction_set.h"

using namespace gradus;

namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

struct Unit {
  double i, f, g, o, c;
  double next_c() const { return sigmoid(f) * c + sigmoid(i) * std::tanh(g); }
  double next_h() const { return sigmoid(o) * std::tanh(next_c()); }
};

}  // namespace

TEST_CASE("each instruction set computes an LSTM's cell and its gradient by their formulas") {
  constexpr size_t n = 21;
  Generator generator(1);
  auto normal = [&](size_t count) {
    return random_normal({static_cast<int64_t>(count)}, 0, 1, generator).to_vector<float>();
  };
  auto is = [](float value, double expected) {
    CHECK(value == doctest::Approx(expected).epsilon(1e-4).scale(1));
  };
  for (const auto* kernels : simd::all_compiled<simd::LstmKernels<float>>()) {
    const auto gates = normal(4 * n), c = normal(n), dh = normal(n), dc = normal(n);
    std::vector<float> h(n), next_c(n), dgates(4 * n), dc_before(n);
    kernels->cell(gates.data(), c.data(), h.data(), next_c.data(), n);
    kernels->cell_gradient(gates.data(), c.data(), next_c.data(), dh.data(), dc.data(),
                           dgates.data(), dc_before.data(), n);
    for (size_t j = 0; j < n; ++j) {
      const Unit unit{gates[j], gates[n + j], gates[2 * n + j], gates[3 * n + j], c[j]};
      is(next_c[j], unit.next_c());
      is(h[j], unit.next_h());
      auto derivative = [&](double Unit::*input) {
        auto loss = [&](double change) {
          Unit moved = unit;
          moved.*input += change;
          return dh[j] * moved.next_h() + dc[j] * moved.next_c();
        };
        return (loss(1e-5) - loss(-1e-5)) / 2e-5;
      };
      is(dgates[j], derivative(&Unit::i));
      is(dgates[n + j], derivative(&Unit::f));
      is(dgates[2 * n + j], derivative(&Unit::g));
      is(dgates[3 * n + j], derivative(&Unit::o));
      is(dc_before[j], derivative(&Unit::c));
    }
  }
}
