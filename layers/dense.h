#pragma once

#include "core/tensor/random.h"

namespace gradus {

struct DenseOptions {
  bool bias = true;
};

/// A linear layer, (…, in) → (…, out):
///
///     y = x · Wᵀ + b
///
/// W and b start as U(±1/√in).
/// Throws Error when the last axis of x is not `in`.
struct Dense {
  Dense(int64_t in, int64_t out, Generator& generator, DenseOptions options = {});

  Tensor operator()(const Tensor& x) const;

  Tensor weight;  ///< (out, in)
  Tensor bias;    ///< (out), or undefined

  void parameters(auto&& visit) {
    visit("weight", weight);
    visit("bias", bias);
  }
};

}  // namespace gradus
