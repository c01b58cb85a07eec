#include "layers/attention/coverage.h"

#include <fmt/format.h>

#include <cmath>

#include "core/functions/scan.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/tensor/scope.h"
#include "layers/initialise.h"

namespace gradus {

Coverage::Coverage(int64_t size, Generator& generator) {
  if (size < 0) throw Error(fmt::format("coverage: expected a size of at least 0, got {}", size));
  const double bound = size == 0 ? 0 : 1 / std::sqrt(static_cast<double>(size));
  weight = uniform({size}, bound, generator).require_grad();
}

KeyValues Coverage::operator()(const KeyValues& prepared, const Tensor& covered) const {
  const Scope scope(this);
  const Tensor& keys = prepared.keys;
  if (keys.rank() < 3 || keys.shape().back() != weight.size(0))
    throw Error(
        fmt::format("coverage: expected keys of shape (batch, …, keys, {}) for a weight {}, got {}",
                    weight.size(0), weight.description(), keys.description()));
  const Shape expected{keys.shape()[0], keys.size(-2)};
  if (covered.shape() != expected)
    throw Error(fmt::format("coverage: expected a coverage of shape {} for keys {}, got {}",
                            expected.text(), keys.description(), covered.description()));
  Tensor amount = unsqueeze(covered, -1);
  while (amount.rank() < keys.rank()) amount = unsqueeze(amount, 1);
  return {keys + amount * weight, prepared.values};
}

Tensor coverage_loss(const Tensor& weights) {
  if (weights.rank() != 3)
    throw Error(fmt::format("coverage_loss: expected weights of shape (batch, steps, keys), got {}",
                            weights.description()));
  const Tensor covered = slice(pad(cumsum(weights, 1), 1, 1, 0), 1, 0, weights.size(1));
  return sum(minimum(weights, covered), {-1});
}

}  // namespace gradus
