#include "core/kernels/instruction_set.h"

namespace gradus::simd {

InstructionSet instruction_set() {
#ifdef __x86_64__
  static const InstructionSet best = [] {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq"))
      return InstructionSet::avx512;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
               ? InstructionSet::avx2
               : InstructionSet::baseline;
  }();
  return best;
#else
  return InstructionSet::baseline;
#endif
}

}  // namespace gradus::simd
