#pragma once

#include <vector>

#include "core/kernels/instruction_set.h"

namespace gradus::simd {

/// The tables of all instruction sets that this processor has, not only the one that it uses.
template <class Table>
std::vector<const Table*> all_compiled() {
  std::vector<const Table*> all{&compiled<Table, baseline>()};
#ifdef __x86_64__
  if (best_instruction_set() >= InstructionSet::avx2) all.push_back(&compiled<Table, avx2>());
  if (best_instruction_set() >= InstructionSet::avx512) all.push_back(&compiled<Table, avx512>());
#endif
  return all;
}

}  // namespace gradus::simd
