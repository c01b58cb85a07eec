#pragma once

#include "tests/core/helpers.h"

namespace gradus::testing {

using Values = std::vector<double>;

/// float64 numbers that require a gradient.
inline Tensor leaf(const NestedList& numbers) {
  return tensor(numbers, DType::float64).require_grad();
}
inline Tensor leaf_of(const Values& numbers) {
  return tensor(numbers, {static_cast<int64_t>(numbers.size())}).require_grad();
}

}  // namespace gradus::testing
