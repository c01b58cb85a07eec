#pragma once

#include "core/functions/mask.h"
#include "core/tensor/tensor.h"

/// Each is computed in one pass over its rows, and by plain ops inside NoFusion
/// (core/autograd/fused.h).
namespace gradus {

/// eˣ / Σ eˣ along `axis`; NaN in a row that holds ∞ or NaN. Ignored positions get 0, and so does a
/// row where all are ignored or −∞. dL/dx = y · (g − Σ g·y).
Tensor softmax(const Tensor& x, int axis = -1, const Mask& mask = {});
/// x − log Σ eˣ along `axis`; −∞ throughout a row of −∞. dL/dx = g − eʸ · Σ g.
Tensor log_softmax(const Tensor& x, int axis = -1);

}  // namespace gradus
