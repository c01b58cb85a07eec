#include "layers/attention/fusion.h"

#include <fmt/format.h>

#include "core/functions/mask.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"
#include "core/tensor/scope.h"
#include "layers/attention/unseen.h"

namespace gradus {

Fusion::Fusion(Join join, int64_t size, const std::vector<int64_t>& sizes, int64_t heads,
               Generator& generator)
    : join(join) {
  if (sizes.empty()) throw Error("fusion: expected at least one other modality, got none");
  for (const int64_t other : sizes) {
    // Without biases a modality that is all ignored adds zeros.
    attention.emplace_back(size, heads, generator,
                           MultiHeadOptions{.key_size = other, .value_size = other, .bias = false});
    if (join == Join::gated) gates.emplace_back(2 * size, size, generator);
  }
  if (join == Join::concatenated) combine.emplace(size * (1 + std::ssize(sizes)), size, generator);
}

FusionOutput Fusion::operator()(const Modality& x, const std::vector<Modality>& others,
                                Generator* generator) const {
  const Scope scope(this);
  if (others.size() != attention.size())
    throw Error(fmt::format("fusion: expected {} other modalities, got {}", attention.size(),
                            others.size()));
  // 0 · NaN of a padded position would go into the gradients of the weights.
  const Tensor own = seen_keys(x.encoded, x.mask);
  FusionOutput result{own, {}};
  std::vector<Tensor> parts{own};
  for (size_t m = 0; m < others.size(); ++m) {
    const Tensor& other = others[m].encoded;
    const AttentionOutput c = attention[m](own, other, other, others[m].mask, generator);
    result.weights.push_back(c.weights);
    if (join == Join::gated)
      result.output = result.output + sigmoid(gates[m](concat({own, c.output}, -1))) * c.output;
    else
      parts.push_back(c.output);
  }
  if (join == Join::concatenated) result.output = (*combine)(concat(parts, -1));
  return {masked_fill(result.output, x.mask.unsqueeze(-1), 0), result.weights};
}

}  // namespace gradus
