#pragma once

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/core.h"

/// A part of golden/optim.json, which golden/make_optim.py wrote with PyTorch.
inline nlohmann::json golden(const char* part) {
  std::ifstream file(std::string(GRADUS_TEST_DATA) + "/optim/golden/optim.json");
  REQUIRE(file);
  return nlohmann::json::parse(file).at(part);
}

inline gradus::Tensor to_tensor(const nlohmann::json& numbers, const gradus::Shape& shape,
                                gradus::DType dtype = gradus::DType::float32) {
  return gradus::cast(gradus::tensor(numbers.get<std::vector<double>>(), shape), dtype);
}

/// Whether |a − b| ≤ tolerance · max(|b|, scale) for every element.
inline bool close(const std::vector<double>& a, const std::vector<double>& b, double tolerance,
                  double scale = 0) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(a[i] - b[i]) <= tolerance * std::max(std::abs(b[i]), scale))) {
      MESSAGE("element " << i << ": " << a[i] << " instead of " << b[i]);
      return false;
    }
  return true;
}
