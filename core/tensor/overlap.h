#pragma once

#include "core/tensor/tensor.h"

/// What in-place writes check first.
namespace gradus {

/// Throws Error in the name of `op` where several indices of x share an element (stride 0).
void check_writable_view(const char* op, const Tensor& x);

/// `source`, or a copy of it where a write into `target` would change elements of it that are still
/// to be read.
Tensor read_before_write(const Tensor& source, const Tensor& target);

}  // namespace gradus
