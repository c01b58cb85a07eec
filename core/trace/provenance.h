#pragma once

#include "core/trace/trace.h"

namespace gradus {

/// One summand of a gradient's element.
struct Contribution {
  int node;                 ///< the node through which it came
  std::vector<int64_t> at;  ///< the row of the node's value: an index on all axes but the last
  double amount;
};

/// Where one element (in row-major order) of a node's gradient came from: a summand for each row,
/// a token of a sentence for instance, of each node that used it, the largest first. They sum
/// to the element. Views of the node are looked through; rows of which nothing came are left out.
/// For a parameter that is its gradient's history; for an attention weight, what later gradients
/// flowed into it.
/// In a loaded trace there is one summand per node, without a row, and views are not looked
/// through. Throws Error where no gradient arrived, for an element out of range, and in a loaded
/// trace where tensors were not kept whole.
std::vector<Contribution> provenance(const Trace& trace, int number, int64_t element);

}  // namespace gradus
