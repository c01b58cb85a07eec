#pragma once

#include "core/autograd/scope.h"
#include "core/ops/layer_norm.h"

namespace gradus {

/// Normalises the last axis, (…, size) → (…, size) (Ba, Kiros, Hinton 2016):
///
///     y = (x − mean) / √(variance + ε) · weight + bias
///
/// with the biased variance. weight starts as 1, bias as 0.
/// Throws Error when the last axis of x is not `size`.
struct LayerNorm {
  explicit LayerNorm(int64_t size, double epsilon = 1e-5)
      : weight(ones({size}).require_grad()), bias(zeros({size}).require_grad()), epsilon(epsilon) {}

  Tensor operator()(const Tensor& x) const {
    const Scope scope(this);
    return layer_norm(x, weight, bias, epsilon);
  }

  Tensor weight, bias;  ///< (size)
  double epsilon;

  void parameters(auto&& visit) {
    visit("weight", weight);
    visit("bias", bias);
  }
};

}  // namespace gradus
