#include "core/functions/dropout.h"

#include <fmt/format.h>

#include "core/ops/pointwise.h"
#include "core/tensor/error.h"
#include "core/tensor/random.h"

namespace gradus {

Tensor dropout(const Tensor& x, double rate, Generator* generator) {
  check_float("dropout", x);
  if (!(rate >= 0 && rate < 1))
    throw Error(fmt::format("dropout: expected a rate in [0, 1), got {}", rate));
  if (!generator || rate == 0) return x;
  const Tensor keep = greater_equal(random_uniform(x.shape(), 0, 1, *generator, x.dtype()), rate);
  return x * (keep * (1 / (1 - rate)));
}

}  // namespace gradus
