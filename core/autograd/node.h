#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/autograd/autograd.h"
#include "core/kernels/small_blocks.h"

namespace gradus {

/// A matrix as products read it fastest, as it was at some version.
struct PackedForm {
  uint32_t version = 0;
  std::shared_ptr<const void> matrix;  ///< see core/ops/packed_weight.h
};

/// One recorded op, or a leaf. It is owned by its output and by the nodes that use that.
struct Node {
  Node() = default;
  ~Node();  // frees long chains in a loop
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  bool is_leaf() const { return order == 0; }

  const char* op = "leaf";
  std::vector<Operand, SmallAllocator<Operand>> inputs;
  Operand output;         ///< without history; undefined unless a derivative reads it
  Shape shape;            ///< of the output
  Rule rule;              ///< empty for leaves and for ops without a derivative
  bool released = false;  ///< a backward pass has consumed it
  uint64_t order = 0;     ///< inputs come before outputs
  std::string name;       ///< of a leaf
  Tensor gradient;        ///< a leaf's accumulated gradient
  PackedForm packed[2];   ///< of a leaf that is a matrix: itself, and its transpose
  std::vector<std::function<Tensor(const Tensor&)>> hooks;
};

}  // namespace gradus
