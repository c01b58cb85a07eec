#pragma once

#include "core/autograd/autograd.h"

namespace gradus {

/// While it lives, ops that have a one-pass form are computed on this thread by their composition
/// of other ops: for looking at each of those, and for comparing.
class NoFusion {
 public:
  explicit NoFusion(bool active = true);
  ~NoFusion();
  NoFusion(const NoFusion&) = delete;
  NoFusion& operator=(const NoFusion&) = delete;

  static bool in_force();

 private:
  bool before_;
};

/// The gradients of `composition(inputs)`, recorded: what a fused op's rule gives for derivatives
/// of derivatives. Of an input that the rule does not read, the composition is given the shape
/// alone.
std::vector<Gradient> differentiate(const Forward& composition, const Backward& b);

/// An op that is computed in one pass where that is faster, and is defined by its composition of
/// other ops, `composition(inputs)`. `one_pass(inputs)` gives the same value, `rule` the same
/// gradients: the rule need not be differentiable, because for derivatives of derivatives (and
/// inside NoFusion) the composition is taken instead. So the values of all inputs are kept.
template <class OnePass, class R, class Composition, class A = std::nullptr_t>
Tensor fused(const Op& op, const std::vector<Tensor>& inputs, const OnePass& one_pass, R rule,
             const Composition& composition, const A& attributes = nullptr) {
  if (NoFusion::in_force()) return composition(inputs);
  Op with_inputs = op;
  with_inputs.also = Reads::all_inputs();
  return record(
      with_inputs, one_pass(inputs), inputs,
      [rule = std::move(rule), composition](const Backward& b) {
        return b.is_recorded() ? differentiate(composition, b) : std::vector<Gradient>(rule(b));
      },
      [one_pass, composition](const std::vector<Tensor>& x) {
        return NoFusion::in_force() ? composition(x) : one_pass(x);
      },
      attributes);
}

}  // namespace gradus
