#pragma once

#include "core/trace/trace.h"

namespace gradus {

/// How two traces differ at one place.
struct Difference {
  enum class What { only_in_a, only_in_b, formula, shape, value, gradient, verdict };
  What what;
  int a = -1, b = -1;  ///< the node's numbers in the two traces; −1 where it is not in one
  double largest = 0;  ///< of a value or gradient: the largest |a − b|, NaN counting as infinite,
  int64_t element = -1;  ///< and where, in row-major order; −1 where only summaries were kept
};

/// Pairs the nodes of two traces and lists what differs: first in the order of the forward pass
/// (missing nodes, formulas, shapes, values, verdicts), then gradients in the order of the backward
/// pass: the first difference is where the computations diverge. Numbers count as different beyond
/// tolerance · max(|a|, |b|) of the tensor's largest; where one side has only a summary, summaries
/// are compared.
std::vector<Difference> compare(const Trace& a, const Trace& b, double tolerance = 0);

/// The largest |a − b| of two tensors of the same shape that were kept whole, NaN counting as
/// infinite except where both are.
double largest_difference(const Tensor& a, const Tensor& b);

/// Only the pairing: for each node of `a` the number of its counterpart in `b`, or −1. Ops and
/// named parameters are paired by op, name, layer and time step, in their order as far as they have
/// it in common, so that one more op shifts no other; constants by the ops that read them.
std::vector<int> align(const Trace& a, const Trace& b);

}  // namespace gradus
