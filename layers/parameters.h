#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <map>
#include <ranges>
#include <string>
#include <vector>

#include "core/autograd/scope.h"
#include "core/tensor/error.h"
#include "core/tensor/tensor.h"

/// A layer is any type that names its parameters: tensors, other layers, vectors of layers
/// ("layers.0", "layers.1", …), optional layers.
///
///     struct Gate {
///       Dense forget, input;
///       void parameters(auto&& visit) { visit("forget", forget); visit("input", input); }
///     };
///
/// From that line follow counting, dotted names ("forget.weight"), optimising, saving, loading.
namespace gradus {

struct AnyVisitor {
  void operator()(const std::string&, auto&) const {}
};
template <class T>
concept Layer = requires(T& x) {
  x.parameters(AnyVisitor{});
};

/// Calls f("forget", layer) for every layer of the model, itself first, and f("forget.weight",
/// tensor) for every tensor, in the order in which they are named. Undefined tensors and empty
/// optionals are skipped, and so is what is inside of a layer that f answers with `false`.
template <class Part, class F>
void visit_parts(Part& part, F f, const std::string& name = "") {
  if constexpr (std::same_as<Part, Tensor>) {
    if (part.defined()) f(name, part);
  } else if constexpr (Layer<Part>) {
    if constexpr (std::same_as<decltype(f(name, part)), bool>) {
      if (!f(name, part)) return;
    } else {
      f(name, part);
    }
    part.parameters([&](const std::string& child, auto& inner) {
      visit_parts<std::decay_t<decltype(inner)>, F&>(inner, f,
                                                     name.empty() ? child : name + "." + child);
    });
  } else if constexpr (std::ranges::range<Part>) {
    int64_t i = 0;
    for (auto& inner : part)
      visit_parts<std::decay_t<decltype(inner)>, F&>(inner, f, fmt::format("{}.{}", name, i++));
  } else {  // an optional layer, or a pointer to one
    if (part) visit_parts<std::decay_t<decltype(*part)>, F&>(*part, f, name);
  }
}

/// Calls f("forget.weight", tensor) for every tensor of the model; see visit_parts().
template <class L, class F>
void for_each_parameter(L& model, F f) {
  visit_parts(model, [&](const std::string& name, auto& part) {
    if constexpr (std::same_as<std::decay_t<decltype(part)>, Tensor>) f(name, part);
  });
}

/// The parameters that require a gradient, each once, even where layers share it; each now knows
/// its (first) dotted name, under which errors speak of it. To freeze one, replace it by its
/// detach().
template <class L>
std::vector<Tensor> parameters(L& model) {
  std::vector<Tensor> found;
  for_each_parameter(model, [&](const std::string& name, Tensor& parameter) {
    if (!parameter.requires_grad() ||
        std::ranges::any_of(found, [&](auto& p) { return p.node() == parameter.node(); }))
      return;
    parameter.set_name(name);
    found.push_back(parameter);
  });
  return found;
}

/// Where the model's layers lie and what they are called, so that a Trace can name them. Parameters
/// without a name get theirs.
template <class L>
LayerNames layer_names(L& model) {
  LayerNames names;
  visit_parts(model, [&](const std::string& name, auto& part) {
    using Part = std::decay_t<decltype(part)>;
    if constexpr (!std::same_as<Part, Tensor>)
      names.emplace(std::pair(&part, std::type_index(typeid(Part))), name);
    else if (part.requires_grad() && part.name().empty())
      part.set_name(name);
  });
  return names;
}

/// How many numbers training adjusts: the elements of parameters().
template <class L>
int64_t parameter_count(L& model) {
  int64_t count = 0;
  for (const Tensor& parameter : parameters(model)) count += parameter.numel();
  return count;
}

/// All tensors of the model by dotted name, frozen ones too: what a file holds.
template <class L>
std::map<std::string, Tensor> named_tensors(L& model) {
  std::map<std::string, Tensor> named;
  for_each_parameter(model, [&](const std::string& name, Tensor& parameter) {
    if (!named.emplace(name, parameter).second)
      throw Error(fmt::format("parameters: two are named '{}'", name));
  });
  return named;
}

/// Copies values between tensors of one name, all or nothing.
/// Throws one Error that lists every tensor that is missing, unknown, or of another shape or dtype.
void copy_by_name(const std::map<std::string, Tensor>& from,
                  const std::map<std::string, Tensor>& to);

/// Copies `tensors` into the model, by the rules of copy_by_name.
template <class L>
void load_tensors_into(L& model, const std::map<std::string, Tensor>& tensors) {
  copy_by_name(tensors, named_tensors(model));
}

}  // namespace gradus
