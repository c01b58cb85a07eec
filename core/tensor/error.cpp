#include "core/tensor/error.h"

#include <fmt/format.h>

#include "core/tensor/scope.h"

namespace gradus {

namespace {

std::string with_layers(const std::string& message) {
  const std::string layers = running_layers();
  return layers.empty() ? message : fmt::format("{}, in {}", message, layers);
}

}  // namespace

Error::Error(const std::string& message) : std::runtime_error(with_layers(message)) {}

Error Error::at(const std::string& place) const {
  return {fmt::format("{}: {}", place, what()), Complete{}};
}

}  // namespace gradus
