#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "core/trace/trace.h"

/// How a trace is told in JSON; see Trace::save().
namespace gradus {

/// Of what shape and dtype the tensor is, and what its numbers are like.
nlohmann::json json_of(const TraceTensor& x);

/// What a tensor is to its node; those that come first are kept first.
enum class Role { value, gradient, sent };

/// A node, in which `tensor(x, role)` stands for each tensor of it that is defined.
nlohmann::json json_of(const Trace& trace, int number,
                       const std::function<nlohmann::json(const TraceTensor&, Role)>& tensor);

}  // namespace gradus
