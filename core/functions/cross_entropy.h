#pragma once

#include "core/functions/reduction.h"
#include "core/tensor/tensor.h"

namespace gradus {

struct CrossEntropyOptions {
  int64_t ignored_class = -100;  ///< rows with this target do not count (PyTorch's ignore_index)
  double label_smoothing = 0;    ///< ε: the target is (1 − ε) · one-hot + ε / K
  Reduction reduction = Reduction::mean;  ///< mean over the rows that count; 0 where none do
};
/// −Σₖ targetₖ · log softmax(logits)ₖ: logits (…, K), targets int64 (…) of numbers in [0, K).
/// dL/dlogits = (softmax − target) · g. In nats. The logits of rows that do not count may be NaN.
/// Throws Error for targets of another shape or dtype or outside [0, K), and for a label_smoothing
/// outside [0, 1].
Tensor cross_entropy(const Tensor& logits, const Tensor& targets,
                     const CrossEntropyOptions& options = {});

}  // namespace gradus
