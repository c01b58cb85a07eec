#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/tensor/tensor.h"

/// Gradients against central finite differences, in float64: the check of an op or of any function
/// that is made of ops. For a layer see layers/check/check.h.
namespace gradus {

using TensorFunction = std::function<Tensor(const std::vector<Tensor>&)>;

/// Where an analytic derivative lies farthest from its numeric one, counted in tolerances of
/// 1e-7 + 1e-6 · |numeric|: up to 1 they agree.
struct Mismatch {
  size_t input = 0;
  int64_t element = 0;  ///< in row-major order
  double analytic = 0, numeric = 0, tolerances = 0;

  /// "input 0, element 3: analytic 0.5, numeric 1 (5e+05 tolerances)"
  std::string text() const;
};

/// The gradient rules behind `f` against (L(x + h) − L(x − h)) / 2h for each element of each input
/// in turn, where L = Σ wᵢ · f(x)ᵢ with irregular weights. The inputs are contiguous float64 and
/// require a gradient afterwards.
Mismatch first_order_mismatch(const TensorFunction& f, const std::vector<Tensor>& inputs);

/// The gradient of the gradient against differences of the gradient, through Σ vᵢ · dL/dxᵢ, both in
/// the inputs and in the gradient that flows into `f`, which counts as one more input.
Mismatch second_order_mismatch(const TensorFunction& f, std::vector<Tensor> inputs);

/// float64 numbers around 0.6 without any symmetry, others for each phase: a gradient in the wrong
/// place or order does not go unnoticed.
Tensor irregular(const Shape& shape, double phase);
/// Σ wᵢ · xᵢ over all elements of all tensors, with irregular weights w.
Tensor irregular_sum(const std::vector<Tensor>& tensors, double phase);

}  // namespace gradus
