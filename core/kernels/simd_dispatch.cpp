#include "core/kernels/simd.h"

namespace gradus::simd {

namespace baseline {
extern const Kernels<float> kernels_float32;
extern const Kernels<double> kernels_float64;
}  // namespace baseline

#ifdef GRADUS_X86
namespace avx2 {
extern const Kernels<float> kernels_float32;
extern const Kernels<double> kernels_float64;
}  // namespace avx2
namespace avx512 {
extern const Kernels<float> kernels_float32;
extern const Kernels<double> kernels_float64;
}  // namespace avx512
#endif

namespace {

struct Choice {
  const Kernels<float>* float32 = &baseline::kernels_float32;
  const Kernels<double>* float64 = &baseline::kernels_float64;

  Choice() {
#ifdef GRADUS_X86
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq")) {
      float32 = &avx512::kernels_float32;
      float64 = &avx512::kernels_float64;
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      float32 = &avx2::kernels_float32;
      float64 = &avx2::kernels_float64;
    }
#endif
  }
};

const Choice& choice() {
  static const Choice chosen;
  return chosen;
}

}  // namespace

template <>
const Kernels<float>& kernels() {
  return *choice().float32;
}
template <>
const Kernels<double>& kernels() {
  return *choice().float64;
}

}  // namespace gradus::simd
