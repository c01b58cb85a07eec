#include "core/functions/gradient_check.h"

#include <fmt/format.h>

#include <cmath>

#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"

namespace gradus {

std::string Mismatch::text() const {
  return fmt::format("input {}, element {}: analytic {}, numeric {} ({:.2g} tolerances)", input,
                     element, analytic, numeric, tolerances);
}

Tensor irregular(const Shape& shape, double phase) {
  Tensor result = zeros(shape, DType::float64);
  double i = phase;
  for (double& x : result.mutable_span<double>()) {
    i += 1;
    x = 0.6 + std::sin(37 * i * i);
  }
  return result;
}

Tensor irregular_sum(const std::vector<Tensor>& tensors, double phase) {
  Tensor total = zeros({}, DType::float64);
  for (const Tensor& x : tensors) total = total + sum(x * irregular(x.shape(), phase += 0.3));
  return total;
}

namespace {

Mismatch worst_mismatch(const TensorFunction& scalar, const std::vector<Tensor>& inputs) {
  constexpr double h = 1e-5, absolute = 1e-7, relative = 1e-6;
  for (const Tensor& x : inputs) x.require_grad();
  const std::vector<Tensor> gradients = grad({scalar(inputs)}, inputs, {.zero_if_unreached = true});
  Mismatch worst;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (gradients[i].shape() != inputs[i].shape())
      throw Error(fmt::format("gradient check: input {} is {}, its gradient {}", i,
                              inputs[i].description(), gradients[i].shape().text()));
    const std::vector<double> analytic = gradients[i].to_vector<double>();
    for (size_t k = 0; k < analytic.size(); ++k) {
      Tensor input = inputs[i];
      const double before = input.span<double>()[k];
      auto at = [&](double x) {
        input.mutable_span<double>()[k] = x;
        return scalar(inputs).item();
      };
      const double above = at(before + h), below = at(before - h);
      input.mutable_span<double>()[k] = before;
      const double numeric = (above - below) / (2 * h);
      const double tolerances =
          std::abs(analytic[k] - numeric) / (absolute + relative * std::abs(numeric));
      if (!(tolerances <= worst.tolerances))  // NaN is the worst of all
        worst = {i, static_cast<int64_t>(k), analytic[k], numeric, tolerances};
      if (std::isnan(tolerances)) return worst;
    }
  }
  return worst;
}

}  // namespace

Mismatch first_order_mismatch(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  return worst_mismatch([&](const std::vector<Tensor>& x) { return irregular_sum({f(x)}, 0); },
                        inputs);
}

Mismatch second_order_mismatch(const TensorFunction& f, std::vector<Tensor> inputs) {
  const size_t n = inputs.size();
  inputs.push_back(irregular(f(inputs).shape(), 0.5));
  return worst_mismatch(
      [&](const std::vector<Tensor>& x_and_u) {
        const std::vector<Tensor> x(x_and_u.begin(), x_and_u.begin() + static_cast<ptrdiff_t>(n));
        return irregular_sum(
            grad({f(x)}, x, {.create_graph = true, .zero_if_unreached = true}, {x_and_u.back()}),
            0.7);
      },
      inputs);
}

}  // namespace gradus
