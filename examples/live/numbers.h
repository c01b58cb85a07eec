#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "core/tensor/tensor.h"

/// Small tensors as text and as JSON.
namespace gradus::live {

/// A float64 tensor from "2", "[1, 2]" or "[[1, 2], [3, 4]]": of at most 256 finite numbers.
/// Throws Error for anything else.
Tensor tensor_of_text(std::string_view text);

/// Lists of lists of numbers; what JSON has no number for is null.
nlohmann::json json_of_values(const Tensor& x);

}  // namespace gradus::live
