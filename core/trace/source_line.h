#pragma once

#include <string>
#include <vector>

namespace gradus {

/// A place in the program; files of this project are named from its top folder.
struct SourceLine {
  std::string file;
  int line = 0;
  std::string function;  ///< without arguments: "Dense::operator()"
  bool operator==(const SourceLine&) const = default;
};

/// The return addresses on this thread's stack, innermost first.
std::vector<void*> call_stack();

/// The lines behind return addresses, innermost first, with inlined calls; without those that lie
/// in core/ or in the system. Empty for programs without debug information (-g1 is enough).
std::vector<SourceLine> source_lines(const std::vector<void*>& addresses);

}  // namespace gradus
