#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <vector>

#include "layers/check/check.h"

/// What the checks of check_layer() share; of no use without them.
namespace gradus::detail::check {

using Finding = LayerReport::Finding;
using Outcome = LayerReport::Outcome;

template <class... T>
Finding passed(fmt::format_string<T...> words, T&&... values) {
  return {"", Outcome::passed, fmt::format(words, std::forward<T>(values)...)};
}
template <class... T>
Finding failed(fmt::format_string<T...> words, T&&... values) {
  return {"", Outcome::failed, fmt::format(words, std::forward<T>(values)...)};
}
template <class... T>
Finding skipped(fmt::format_string<T...> words, T&&... values) {
  return {"", Outcome::skipped, fmt::format(words, std::forward<T>(values)...)};
}

/// Tensors of their own, cast where `dtype` says so; those that required a gradient are leaves.
std::vector<Tensor> copies(const std::vector<Tensor>& tensors, std::optional<DType> dtype = {});
Call copy_of(const Call& call, std::optional<DType> dtype = {});

/// The gradients of an irregular sum of the outputs.
std::vector<Tensor> gradients(const std::vector<Tensor>& outputs, const std::vector<Tensor>& wrt);

// layers/check/check_gradients.cpp
Finding derivatives(const Subject& subject, bool second);
Finding parameters(const Subject& subject);
// layers/check/check_invariances.cpp
Finding composition(const Subject& subject);
Finding batch(const Subject& subject);
Finding padding(const Subject& subject);
// layers/check/check_bits.cpp
Finding save_and_load(const Subject& subject);
Finding same_bits(const Subject& subject);

}  // namespace gradus::detail::check
