#include "core/functions/value_and_grad.h"

#include <fmt/format.h>

#include "core/tensor/error.h"

namespace gradus {

ValueAndGradients value_and_grad(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                                 const std::vector<Tensor>& arguments, const GradOptions& options) {
  if (!f) throw Error("value_and_grad: expected a function, got none");
  std::vector<Tensor> x;  // of their own: one tensor may be several arguments
  for (const Tensor& argument : arguments)
    x.push_back(options.create_graph && is_recording({&argument, 1})
                    ? record({"argument", "x", {{"g"}}}, argument.detach(), {argument},
                             [](const Backward& b) { return std::vector<Gradient>{b.gradient}; })
                    : argument.detach().require_grad());
  const Tensor value = f(x);
  if (value.numel() != 1)
    throw Error(fmt::format("value_and_grad: expected a function that returns a scalar, got {}",
                            value.description()));
  GradOptions with_zeros = options;
  with_zeros.zero_if_unreached = true;
  std::vector<Tensor> gradients = grad({value}, x, with_zeros, {ones_like(value)});
  return {options.create_graph ? value : value.detach(), std::move(gradients)};
}

}  // namespace gradus
