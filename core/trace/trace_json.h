#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/trace/trace.h"

/// How a trace is told in JSON; see Trace::save().
namespace gradus {

/// Of what shape and dtype the tensor is, and what its numbers are like.
nlohmann::json json_of(const TraceTensor& x);

/// A node, in which `tensor(x, "12.value")` stands for each tensor of it that is defined.
nlohmann::json json_of(
    const Trace& trace, int number,
    const std::function<nlohmann::json(const TraceTensor&, const std::string& name)>& tensor);

}  // namespace gradus
