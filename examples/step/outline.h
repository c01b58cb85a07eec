#pragma once

#include <string>
#include <vector>

#include "core/trace/trace.h"

namespace gradus::step {

/// A part of an Outline: a node of the trace, or a group of them.
struct Part {
  bool is_group;
  int number;
  bool operator<(const Part& other) const {
    return std::pair(is_group, number) < std::pair(other.is_group, other.number);
  }
};

struct Group {
  std::string name;  ///< "attention", "t = 3", or "#40 … #79" where a group would be too long
  int parent = -1;   ///< its group; −1 for the first
  bool over_time = false;   ///< its groups are time steps
  std::vector<Part> parts;  ///< in the order of the forward pass
};

/// A trace's nodes by layer, and within layers by time step. A parameter or constant is where all
/// its users are. No group has more than about 48 parts that compute something: longer ones are
/// cut into runs.
struct Outline {
  explicit Outline(const Trace& trace);

  std::vector<Group> groups;  ///< the first holds everything; parents come before their groups
  std::vector<int> group_of;  ///< of every node

  /// The innermost group that holds both.
  int common(int group, int other) const;
};

}  // namespace gradus::step
