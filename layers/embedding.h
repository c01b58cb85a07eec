#pragma once

#include "core/ops/pointwise.h"
#include "core/tensor/random.h"
#include "core/tensor/tensor.h"

namespace gradus {

/// A learned vector for each of `count` ids, int64 ids (…) → (…, size):
///
///     y = weight[ids]
///
/// The weights start as N(0, 1). The vector of `padding_id` is zero and gets no gradient; −1 means
/// that no id is padding. Throws Error for a negative size and for an id outside [0, count).
struct Embedding {
  Embedding(int64_t count, int64_t size, Generator& generator, int64_t padding_id = -1);

  Tensor operator()(const Tensor& ids) const;

  Tensor weight;  ///< (count, size)
  int64_t padding_id;

  void parameters(auto&& visit) { visit("weight", weight); }
};

}  // namespace gradus
