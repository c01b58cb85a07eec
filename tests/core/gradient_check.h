#pragma once

#include <doctest/doctest.h>

#include "core/gradient_check.h"
#include "core/ops.h"

namespace gradus::testing {

using Function = TensorFunction;

}  // namespace gradus::testing
