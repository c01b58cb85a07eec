#pragma once

/// Vector code is compiled once per instruction set: each file x.simd.cpp (see CMakeLists.txt)
/// fills a table of pointers to its functions, and one table is chosen for this processor.
namespace gradus::simd {

enum class InstructionSet { baseline, avx2, avx512 };
const char* name_of(InstructionSet set);
/// The best one that this processor has.
InstructionSet best_instruction_set();
/// The one in use: the best, unless the environment variable GRADUS_KERNELS names another. Throws
/// as chosen() does.
InstructionSet instruction_set();
/// The one named, or `best` for none (null or ""). Throws std::runtime_error for a name that is
/// unknown, or of one beyond `best`.
InstructionSet chosen(const char* name, InstructionSet best);

struct baseline {};
struct avx2 {};
struct avx512 {};
/// The table of one instruction set, which the file that is compiled for it defines.
template <class Table, class Isa>
const Table& compiled();

/// That of the instruction set in use.
template <class Table>
const Table& best() {
#ifdef __x86_64__
  if (instruction_set() == InstructionSet::avx512) return compiled<Table, avx512>();
  if (instruction_set() == InstructionSet::avx2) return compiled<Table, avx2>();
#endif
  return compiled<Table, baseline>();
}

}  // namespace gradus::simd
