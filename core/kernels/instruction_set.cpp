#include "core/kernels/instruction_set.h"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace gradus::simd {

const char* name_of(InstructionSet set) {
  return set == InstructionSet::avx512 ? "avx512"
         : set == InstructionSet::avx2 ? "avx2"
                                       : "baseline";
}

InstructionSet best_instruction_set() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq"))
    return InstructionSet::avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return InstructionSet::avx2;
#endif
  return InstructionSet::baseline;
}

InstructionSet instruction_set() {
  static const InstructionSet in_use =
      chosen(std::getenv("GRADUS_KERNELS"), best_instruction_set());
  return in_use;
}

InstructionSet chosen(const char* name, InstructionSet best) {
  const std::string wanted = name ? name : "";
  if (wanted.empty()) return best;
  std::string there;
  for (int i = static_cast<int>(best); i >= 0; --i) {
    const auto set = static_cast<InstructionSet>(i);
    if (wanted == name_of(set)) return set;
    there += (there.empty() ? "" : i > 0 ? ", " : " or ") + std::string(name_of(set));
  }
  throw std::runtime_error("GRADUS_KERNELS: expected " + there +
                           ", which this processor has, got '" + wanted + "'");
}

}  // namespace gradus::simd
