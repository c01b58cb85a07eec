#include "core/files/named_tensors.h"

#include <fmt/format.h>

namespace gradus {

namespace {

std::string kind_of(const Tensor& x) {
  return x.defined() ? fmt::format("{} {}", name_of(x.dtype()), x.shape().text()) : "undefined";
}

}  // namespace

std::string differences(const std::map<std::string, Tensor>& expected,
                        const std::map<std::string, Tensor>& given) {
  std::string lines;
  for (const auto& [name, tensor] : expected) {
    const auto found = given.find(name);
    if (found == given.end())
      lines += fmt::format("\n  missing: '{}', {}", name, kind_of(tensor));
    else if (kind_of(found->second) != kind_of(tensor))
      lines += fmt::format("\n  different: '{}': expected {}, got {}", name, kind_of(tensor),
                           kind_of(found->second));
  }
  for (const auto& [name, tensor] : given)
    if (!expected.contains(name))
      lines += fmt::format("\n  unknown: '{}', {}", name, kind_of(tensor));
  return lines;
}

}  // namespace gradus
