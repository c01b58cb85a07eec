#pragma once

#include <fmt/format.h>

#include <vector>

#include "core/functions/layer_norm.h"
#include "core/ops/movement.h"
#include "core/tensor/error.h"
#include "core/tensor/scope.h"

namespace gradus {

struct LayerNormOptions {
  double epsilon = 1e-5;
  bool weight = true, bias = true;  ///< without them they are undefined, which stands for 1 and 0
};

/// Normalises the last axis, (…, size) → (…, size), or the last axes together (Ba, Kiros, Hinton
/// 2016):
///
///     y = (x − mean) / √(variance + ε) · weight + bias
///
/// with the biased variance. weight starts as 1, bias as 0.
/// Throws Error for a negative size, and when the last axes of x do not have the sizes.
struct LayerNorm {
  explicit LayerNorm(int64_t size, double epsilon = 1e-5)
      : LayerNorm(std::vector<int64_t>{size}, {.epsilon = epsilon}) {}
  LayerNorm(const std::vector<int64_t>& sizes, LayerNormOptions options)
      : sizes(checked(sizes)), epsilon(options.epsilon) {
    if (options.weight) weight = ones(this->sizes).require_grad();
    if (options.bias) bias = zeros(this->sizes).require_grad();
  }

  Tensor operator()(const Tensor& x) const {
    const Scope scope(this);
    if (sizes.rank() == 1 && weight.defined()) return layer_norm(x, weight, bias, epsilon);
    const int first = x.rank() - sizes.rank();
    for (int axis = 0; axis < sizes.rank(); ++axis)
      if (first < 0 || x.shape()[first + axis] != sizes[axis])
        throw Error(fmt::format("layer_norm: expected x with the last axes {}, got {}",
                                sizes.text(), x.description()));
    if (sizes.rank() == 1) return layer_norm(x, weight, bias, epsilon);
    std::vector<int64_t> flat(x.shape().begin(), x.shape().begin() + first);
    flat.push_back(sizes.numel());
    const auto one_axis = [&](const Tensor& y) {
      return y.defined() ? reshape(y, {sizes.numel()}) : y;
    };
    return reshape(layer_norm(reshape(x, Shape(flat)), one_axis(weight), one_axis(bias), epsilon),
                   x.shape());
  }

  Shape sizes;
  Tensor weight, bias;  ///< of these sizes, or undefined
  double epsilon;

  void parameters(auto&& visit) {
    visit("weight", weight);
    visit("bias", bias);
  }

 private:
  static Shape checked(const std::vector<int64_t>& sizes) {
    for (const int64_t size : sizes)
      if (size < 0)
        throw Error(fmt::format("layer_norm: expected a size of at least 0, got {}", size));
    if (sizes.empty()) throw Error("layer_norm: expected at least one size, got none");
    return Shape(sizes);
  }
};

}  // namespace gradus
