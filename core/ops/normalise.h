#pragma once

#include "core/ops/mask.h"
#include "core/ops/reduce.h"

/// Ops that normalise along an axis, and the loss made of them: each is computed in one pass over
/// its rows, and by plain ops inside NoFusion (core/autograd/fused.h). And dropout.
namespace gradus {

class Generator;

/// eˣ / Σ eˣ along `axis`. Ignored positions get 0, and so does a row where all are ignored or −∞.
/// dL/dx = y · (g − Σ g·y).
Tensor softmax(const Tensor& x, int axis = -1, const Mask& mask = {});
/// x − log Σ eˣ along `axis`; −∞ throughout a row of −∞. dL/dx = g − eʸ · Σ g.
Tensor log_softmax(const Tensor& x, int axis = -1);

/// (x − mean) / √(variance + epsilon) over the last axis, times `weight`, plus `bias` (both (n) and
/// optional): Ba, Kiros, Hinton 2016. The variance is the biased one.
Tensor layer_norm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {},
                  double epsilon = 1e-5);

enum class Reduction { mean, sum, none };

struct CrossEntropyOptions {
  int64_t ignored_class = -100;  ///< rows with this target do not count (PyTorch's ignore_index)
  double label_smoothing = 0;    ///< ε: the target is (1 − ε) · one-hot + ε / K
  Reduction reduction = Reduction::mean;  ///< mean over the rows that count; 0 where none do
};
/// −Σₖ targetₖ · log softmax(logits)ₖ: logits (…, K), targets int64 (…) of numbers in [0, K).
/// dL/dlogits = (softmax − target) · g. In nats.
Tensor cross_entropy(const Tensor& logits, const Tensor& targets,
                     const CrossEntropyOptions& options = {});

/// x · keep / (1 − rate), where each element is kept with probability 1 − rate (inverted dropout,
/// Srivastava et al. 2014). Without a generator nothing is dropped: that is inference.
/// Throws Error unless 0 ≤ rate < 1.
Tensor dropout(const Tensor& x, double rate, Generator* generator);

}  // namespace gradus
