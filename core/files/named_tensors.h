#pragma once

#include <map>
#include <string>

#include "core/tensor/tensor.h"

namespace gradus {

/// How the names, shapes and dtypes of `given` differ from those of `expected`: one
/// line for each tensor that is missing, different or unknown, each beginning with a line break;
/// empty if they fit.
std::string differences(const std::map<std::string, Tensor>& expected,
                        const std::map<std::string, Tensor>& given);

}  // namespace gradus
