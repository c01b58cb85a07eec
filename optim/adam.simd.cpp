// Compiled once per instruction set: see core/kernels/instruction_set.h.
#include "optim/adam.simd.h"

#include "core/kernels/batch.h"

namespace gradus::simd {
namespace {

template <class T>
void update(const AdamStep<T>& s, const T* g, T* p, T* m, T* v, int64_t n) {
  map(
      [s](const auto* x, auto* y) {
        using B = Batch<T>;
        const B gradient = xsimd::fma(B(s.pull), x[1], x[0]);
        y[1] = xsimd::fma(B(s.beta1), x[2], B(s.rest1) * gradient);
        y[2] = xsimd::fma(B(s.beta2), x[3], B(s.rest2) * gradient * gradient);
        const B root = xsimd::fma(sqrt(y[2]), B(s.inverse_root), B(s.epsilon));
        y[0] = xsimd::fma(B(s.shrink), x[1], -(B(s.stride) * y[1] / root));
      },
      Inputs<T, 4>{{g, p, m, v}}, Outputs<T, 3>{{p, m, v}}, n);
}

constinit const AdamKernel<float> float32{update<float>};
constinit const AdamKernel<double> float64{update<double>};

}  // namespace

template <>
const AdamKernel<float>& compiled<AdamKernel<float>, GRADUS_ISA>() {
  return float32;
}
template <>
const AdamKernel<double>& compiled<AdamKernel<double>, GRADUS_ISA>() {
  return float64;
}

}  // namespace gradus::simd
