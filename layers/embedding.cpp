#include "layers/embedding.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/autograd/scope.h"
#include "core/ops/gather.h"
#include "core/ops/mask.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"

namespace gradus {

Embedding::Embedding(int64_t count, int64_t size, Generator& generator, int64_t padding_id)
    : weight(random_normal({count, size}, 0, 1, generator)), padding_id(padding_id) {
  if (padding_id >= count)
    throw Error(fmt::format("embedding: padding id {} is outside [0, {})", padding_id, count));
  if (padding_id >= 0) std::fill_n(weight.mutable_data<float>() + padding_id * size, size, 0.0f);
  weight.require_grad();
}

Tensor Embedding::operator()(const Tensor& ids) const {
  const Scope scope(this);
  const Tensor rows = gather(weight, ids);
  if (padding_id < 0) return rows;
  const Tensor is_padding = equal(cast(ids, DType::float64), static_cast<double>(padding_id));
  return masked_fill(rows, Mask::ignore(is_padding).unsqueeze(-1), 0);
}

}  // namespace gradus
