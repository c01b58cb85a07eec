#include "layers/embedding.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/functions/mask.h"
#include "core/ops/gather.h"
#include "core/ops/movement.h"
#include "core/tensor/error.h"
#include "core/tensor/scope.h"

namespace gradus {

Embedding::Embedding(int64_t count, int64_t size, Generator& generator, int64_t padding_id)
    : padding_id(padding_id) {
  if (count < 0 || size < 0)
    throw Error(fmt::format("embedding: expected sizes of at least 0, got {} and {}", count, size));
  if (padding_id < -1 || padding_id >= count)
    throw Error(fmt::format("embedding: expected a padding id in [0, {}), or -1 for none, got {}",
                            count, padding_id));
  weight = random_normal({count, size}, 0, 1, generator);
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
