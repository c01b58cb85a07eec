#pragma once

/// Vector code is compiled once per instruction set: each file x.simd.cpp (see CMakeLists.txt)
/// fills a table of pointers to its functions, and the best table for this processor is used.
namespace gradus::simd {

enum class InstructionSet { baseline, avx2, avx512 };
/// The best one that this processor has.
InstructionSet instruction_set();

struct baseline {};
struct avx2 {};
struct avx512 {};
/// The table of one instruction set, which the file that is compiled for it defines.
template <class Table, class Isa>
const Table& compiled();

template <class Table>
const Table& best() {
#ifdef __x86_64__
  if (instruction_set() == InstructionSet::avx512) return compiled<Table, avx512>();
  if (instruction_set() == InstructionSet::avx2) return compiled<Table, avx2>();
#endif
  return compiled<Table, baseline>();
}

}  // namespace gradus::simd
