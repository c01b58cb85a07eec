#include "layers/attention/fusion.h"

#include <fmt/format.h>

#include "core/autograd/scope.h"
#include "core/ops/mask.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"

namespace gradus {

Fusion::Fusion(Join join, int64_t size, const std::vector<int64_t>& sizes, int64_t heads,
               Generator& generator)
    : join(join) {
  if (sizes.empty()) throw Error("fusion: wants at least one other modality, was given none");
  for (const int64_t other : sizes) {
    // Without biases a modality that is all ignored adds zeros.
    attention.emplace_back(size, heads, generator,
                           MultiHeadOptions{.key_size = other, .value_size = other, .bias = false});
    if (join == Join::gated) gates.emplace_back(2 * size, size, generator);
  }
  if (join == Join::concatenated) combine.emplace(size * (1 + std::ssize(sizes)), size, generator);
}

FusionOutput Fusion::operator()(const Modality& x, const std::vector<Modality>& others,
                                Generator* dropout) const {
  const Scope scope(this);
  if (others.size() != attention.size())
    throw Error(fmt::format("fusion: wants {} other modalities, was given {}", attention.size(),
                            others.size()));
  FusionOutput result{x.encoded, {}};
  std::vector<Tensor> parts{x.encoded};
  for (size_t m = 0; m < others.size(); ++m) {
    const Tensor& other = others[m].encoded;
    const AttentionOutput c = attention[m](x.encoded, other, other, others[m].mask, dropout);
    result.weights.push_back(c.weights);
    if (join == Join::gated)
      result.output =
          result.output + sigmoid(gates[m](concat({x.encoded, c.output}, -1))) * c.output;
    else
      parts.push_back(c.output);
  }
  if (join == Join::concatenated) result.output = (*combine)(concat(parts, -1));
  // What takes no part in x stays zero, as in every layer.
  return {masked_fill(result.output, x.mask.unsqueeze(-1), 0), result.weights};
}

}  // namespace gradus
