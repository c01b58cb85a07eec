#pragma once

#include <span>

#include "core/tensor/tensor.h"

namespace gradus {

/// Scales all gradients by min(1, max_norm / (norm + 1e-6)), where norm = √ Σ g² over all elements
/// of all parameters' gradients (Pascanu, Mikolov, Bengio 2013); parameters without a gradient are
/// left out. Returns the norm before clipping; an infinite `max_norm` changes no gradient.
/// Throws Error for a negative max_norm, and, naming the first such parameter, for a gradient with
/// NaN or infinite elements; no gradient has changed then.
double clip_gradients(std::span<const Tensor> parameters, double max_norm);

}  // namespace gradus
