#pragma once

#include "core/autograd.h"

namespace gradus {

/// While it lives, ops that have a one-pass form are computed on this thread by their composition
/// of other ops: for looking at the steps, and for comparing.
class Composed {
 public:
  explicit Composed(bool active = true);
  ~Composed();
  Composed(const Composed&) = delete;
  Composed& operator=(const Composed&) = delete;

 private:
  bool before_;
};

/// An op that is computed in one pass where that is faster, and is defined by its composition of
/// other ops, `composed(inputs)`. `one_pass(inputs)` gives the same value, `rule` the same
/// gradients: the rule need not be differentiable, because for derivatives of derivatives (and
/// inside Composed) the composition is taken instead.
Tensor fused(const Op& op, const std::vector<Tensor>& inputs, const Forward& one_pass, Rule rule,
             const Forward& composed);

}  // namespace gradus
