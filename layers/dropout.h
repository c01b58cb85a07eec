#pragma once

#include "core/functions/dropout.h"

namespace gradus {

/// Sets each element to 0 with probability `rate` and divides the others by 1 − rate, so that the
/// mean stays (Srivastava et al. 2014). Without a generator, that is in inference, it changes
/// nothing. That is the convention of all layers: a layer takes its inputs, then a mask, then the
/// Generator* of dropout, whichever of them it uses. Throws Error unless 0 ≤ rate < 1.
struct Dropout {
  double rate = 0.5;

  Tensor operator()(const Tensor& x, Generator* generator) const {
    return dropout(x, rate, generator);
  }
};

}  // namespace gradus
