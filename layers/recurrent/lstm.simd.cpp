// Compiled once per instruction set: see core/kernels/instruction_set.h.
#include "layers/recurrent/lstm.simd.h"

#include "core/kernels/batch.h"
#include "core/kernels/scalar_functions.h"

namespace gradus::simd {
namespace {

template <class T>
void cell(const T* gates, const T* c, T* next_h, T* next_c, int64_t n) {
  map(
      [](const auto* x, auto* y) {
        y[1] = xsimd::fma(Sigmoid::value(x[1]), x[4], Sigmoid::value(x[0]) * Tanh::value(x[2]));
        y[0] = Sigmoid::value(x[3]) * Tanh::value(y[1]);
      },
      Inputs<T, 5>{{gates, gates + n, gates + 2 * n, gates + 3 * n, c}},
      Outputs<T, 2>{{next_h, next_c}}, n);
}

template <class T>
void cell_gradient(const T* gates, const T* c, const T* next_c, const T* dh, const T* dc, T* dgates,
                   T* dc_before, int64_t n) {
  map(
      [](const auto* x, auto* y) {
        const Batch<T> one(1), i = Sigmoid::value(x[0]), f = Sigmoid::value(x[1]),
                               g = Tanh::value(x[2]), o = Sigmoid::value(x[3]),
                               t = Tanh::value(x[5]);
        const Batch<T> cell = xsimd::fma(x[6] * o, xsimd::fnma(t, t, one), x[7]);  // dL/dc′
        y[0] = cell * g * (i * (one - i));
        y[1] = cell * x[4] * (f * (one - f));
        y[2] = cell * i * xsimd::fnma(g, g, one);
        y[3] = x[6] * t * (o * (one - o));
        y[4] = cell * f;
      },
      Inputs<T, 8>{{gates, gates + n, gates + 2 * n, gates + 3 * n, c, next_c, dh, dc}},
      Outputs<T, 5>{{dgates, dgates + n, dgates + 2 * n, dgates + 3 * n, dc_before}}, n);
}

constinit const LstmKernels<float> float32{cell<float>, cell_gradient<float>};
constinit const LstmKernels<double> float64{cell<double>, cell_gradient<double>};

}  // namespace

template <>
const LstmKernels<float>& compiled<LstmKernels<float>, GRADUS_ISA>() {
  return float32;
}
template <>
const LstmKernels<double>& compiled<LstmKernels<double>, GRADUS_ISA>() {
  return float64;
}

}  // namespace gradus::simd
