// Compiled once per instruction set: see core/kernels/instruction_set.h.
#include "layers/recurrent/gru.simd.h"

#include "core/kernels/batch.h"
#include "core/kernels/scalar_functions.h"

namespace gradus::simd {
namespace {

template <class T>
void cell(const T* gates, const T* x, const T* h, T* next_h, int64_t n) {
  map(
      [](const auto* x, auto* y) {
        const Batch<T> candidate = Tanh::value(xsimd::fma(Sigmoid::value(x[0]), x[2], x[3]));
        y[0] = xsimd::fma(Sigmoid::value(x[1]), x[4] - candidate, candidate);
      },
      Inputs<T, 5>{{gates, gates + n, gates + 2 * n, x, h}}, Outputs<T, 1>{{next_h}}, n);
}

template <class T>
void cell_gradient(const T* gates, const T* x, const T* h, const T* dh, T* dgates, T* dprojected,
                   T* dh_before, int64_t n) {
  map(
      [](const auto* x, auto* y) {
        const Batch<T> one(1), r = Sigmoid::value(x[0]), z = Sigmoid::value(x[1]),
                               candidate = Tanh::value(xsimd::fma(r, x[2], x[3]));
        const Batch<T> inner = x[5] * (one - z) * xsimd::fnma(candidate, candidate, one);
        y[0] = y[3] = inner * x[2] * (r * (one - r));
        y[1] = y[4] = x[5] * (x[4] - candidate) * (z * (one - z));
        y[2] = inner * r;
        y[5] = inner;
        y[6] = x[5] * z;
      },
      Inputs<T, 6>{{gates, gates + n, gates + 2 * n, x, h, dh}},
      Outputs<T, 7>{{dgates, dgates + n, dgates + 2 * n, dprojected, dprojected + n,
                     dprojected + 2 * n, dh_before}},
      n);
}

constinit const GruKernels<float> float32{cell<float>, cell_gradient<float>};
constinit const GruKernels<double> float64{cell<double>, cell_gradient<double>};

}  // namespace

template <>
const GruKernels<float>& compiled<GruKernels<float>, GRADUS_ISA>() {
  return float32;
}
template <>
const GruKernels<double>& compiled<GruKernels<double>, GRADUS_ISA>() {
  return float64;
}

}  // namespace gradus::simd
