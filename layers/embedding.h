#pragma once

#include "core/tensor/random.h"

namespace gradus {

/// A learned vector for each of `count` things, int64 ids (…) → (…, size):
///
///     y = weight[ids]
///
/// The weights start as N(0, 1). The vector of `padding_id`, if there is one, is zero and gets no
/// gradient. Throws Error for an id outside [0, count).
struct Embedding {
  Embedding(int64_t count, int64_t size, Generator& generator, int64_t padding_id = -1);

  Tensor operator()(const Tensor& ids) const;

  Tensor weight;  ///< (count, size)
  int64_t padding_id;

  void parameters(auto&& visit) { visit("weight", weight); }
};

}  // namespace gradus
