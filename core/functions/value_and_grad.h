#pragma once

#include <concepts>
#include <utility>
#include <vector>

#include "core/autograd/autograd.h"

/// Derivatives of functions, in the style of JAX and MLX.
namespace gradus {

struct ValueAndGradients {
  Tensor value;
  std::vector<Tensor> gradients;  ///< one for each argument, of its shape
};

/// `f(arguments)` and its gradients. See value_and_grad(f).
ValueAndGradients value_and_grad(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                                 const std::vector<Tensor>& arguments,
                                 const GradOptions& options = {});

/// A function that gives f's value and its gradient with respect to each argument, where f takes
/// tensors and returns a scalar:
///
///     const auto [loss, gradients] = value_and_grad(f)(weight, bias);
///
/// No argument has to require a gradient, and no grad() is filled. An argument that f does not use
/// has the gradient zero. With `create_graph` value and gradients are recorded: they can be
/// differentiated again, with respect to arguments that require a gradient, or by value_and_grad().
/// The function throws Error where f does not return a scalar.
template <class F>
auto value_and_grad(F f, GradOptions options = {}) {
  return [f = std::move(f), options](const std::same_as<Tensor> auto&... arguments) {
    auto apply = [&]<size_t... i>(const std::vector<Tensor>& x, std::index_sequence<i...>) {
      return f(x[i]...);
    };
    return value_and_grad(
        [&](const std::vector<Tensor>& x) {
          return apply(x, std::make_index_sequence<sizeof...(arguments)>{});
        },
        {arguments...}, options);
  };
}

}  // namespace gradus
