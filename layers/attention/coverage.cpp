#include "layers/attention/coverage.h"

#include <fmt/format.h>

#include <cmath>

#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"
#include "layers/initialise.h"

namespace gradus {

Coverage::Coverage(int64_t size, Generator& generator)
    : weight(uniform({size}, 1 / std::sqrt(static_cast<double>(size)), generator).require_grad()) {}

KeyValues Coverage::operator()(const KeyValues& prepared, const Tensor& covered) const {
  const Tensor& keys = prepared.keys;
  if (keys.rank() < 3 || keys.shape().back() != weight.size(0))
    throw Error(
        fmt::format("coverage: wants keys (batch, …, keys, {}) for a weight {}, was given {}",
                    weight.size(0), weight.description(), keys.description()));
  const Shape wanted{keys.shape()[0], keys.size(-2)};
  if (covered.shape() != wanted)
    throw Error(
        fmt::format("coverage: wants to know of the keys {} how much each was covered, {}, "
                    "was given {}",
                    keys.description(), wanted.text(), covered.description()));
  Tensor amount = unsqueeze(covered, -1);
  while (amount.rank() < keys.rank()) amount = unsqueeze(amount, 1);
  return {keys + amount * weight, prepared.values};
}

}  // namespace gradus
