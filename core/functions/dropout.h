#pragma once

#include "core/tensor/tensor.h"

namespace gradus {

class Generator;

/// x · keep / (1 − rate), where each element is kept with probability 1 − rate (inverted dropout,
/// Srivastava et al. 2014). Without a generator nothing is dropped: that is inference. With one,
/// element i is kept if the i-th number that it draws, uniform in [0, 1), is at least the rate. The
/// gradient draws the same numbers again: so no mask is kept for it.
/// Throws Error unless 0 ≤ rate < 1.
Tensor dropout(const Tensor& x, double rate, Generator* generator);

}  // namespace gradus
