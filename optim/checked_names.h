#pragma once

#include <string>
#include <vector>

#include "core/tensor/tensor.h"

namespace gradus {

/// The name of each parameter: the tensor's own, or its position in the list: "0", "1", ….
/// Throws Error in the name of `who` unless there are parameters, and they are distinct contiguous
/// leaves that require a gradient, with distinct names.
std::vector<std::string> checked_names(const std::string& who,
                                       const std::vector<Tensor>& parameters);

}  // namespace gradus
