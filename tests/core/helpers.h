#pragma once

#include <string>
#include <vector>

#include "core/tensor/error.h"
#include "core/tensor/tensor.h"

namespace gradus::testing {

inline std::vector<double> values(const Tensor& x) { return x.to_vector<double>(); }

/// The message of the Error that `f` throws.
template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace gradus::testing
