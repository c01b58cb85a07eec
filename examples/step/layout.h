#pragma once

#include <utility>
#include <vector>

#include "examples/step/outline.h"

namespace gradus::step {

/// The centres of a group's parts, x to the right and y downwards, as large as they are below.
using Layout = std::vector<std::pair<double, double>>;

struct BoxSize {
  double width, height;
};
inline constexpr BoxSize node_box{160, 60}, group_box{168, 58}, time_box{92, 58};

/// A layout per group of the outline, from top to bottom, time steps from left to right: parts in
/// ranks, each below what it reads, in an order with few crossings, near to what they read and are
/// read by (in the manner of Sugiyama, Tagawa, Toda 1981).
std::vector<Layout> lay_out(const Trace& trace, const Outline& outline);

}  // namespace gradus::step
