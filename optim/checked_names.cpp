#include "optim/checked_names.h"

#include <fmt/format.h>

#include <map>

#include "core/autograd/autograd.h"
#include "core/autograd/node.h"
#include "core/tensor/error.h"

namespace gradus {

std::vector<std::string> checked_names(const std::string& who,
                                       const std::vector<Tensor>& parameters) {
  if (parameters.empty()) throw Error(who + ": expected at least one parameter, got none");
  std::map<const Node*, size_t> seen;
  std::map<std::string, size_t> named;
  std::vector<std::string> names;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& value = parameters[i];
    if (!value.defined()) throw Error(fmt::format("{}: parameter {} is undefined", who, i));
    auto fail = [&](const std::string& why) {
      throw Error(fmt::format("{}: parameter {}, {}, {}", who, i, value.description(), why));
    };
    if (!value.requires_grad()) fail("requires no gradient: call require_grad(), or leave it out");
    if (!value.node()->is_leaf())
      fail(fmt::format("is the result of '{}', not a leaf", value.node()->op));
    if (!value.is_contiguous()) fail("is a strided view: make a leaf of contiguous() instead");
    if (const auto [other, fresh] = seen.emplace(value.node().get(), i); !fresh)
      fail(fmt::format("is the same tensor as parameter {}: list it once", other->second));
    names.push_back(value.name().empty() ? std::to_string(i) : value.name());
    if (const auto [other, fresh] = named.emplace(names.back(), i); !fresh)
      fail(fmt::format("has the name of parameter {}: set_name() one of them", other->second));
  }
  return names;
}

}  // namespace gradus
