#pragma once

#include "core/autograd/autograd.h"

namespace gradus {

/// While it lives, ops that have a one-pass form are computed on this thread by their composition
/// of other ops: for looking at the steps, and for comparing.
class NoFusion {
 public:
  explicit NoFusion(bool active = true);
  ~NoFusion();
  NoFusion(const NoFusion&) = delete;
  NoFusion& operator=(const NoFusion&) = delete;

 private:
  bool before_;
};

/// An op that is computed in one pass where that is faster, and is defined by its composition of
/// other ops, `composed(inputs)`. `one_pass(inputs)` gives the same value, `rule` the same
/// gradients: the rule need not be differentiable, because for derivatives of derivatives (and
/// inside NoFusion) the composition is taken instead.
Tensor fused(const Op& op, const std::vector<Tensor>& inputs, const Forward& one_pass, Rule rule,
             const Forward& composed);

}  // namespace gradus
