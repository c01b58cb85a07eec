#include "examples/answer/sentences.h"

#include "core/ops/matmul.h"
#include "core/ops/pointwise.h"

namespace gradus::answer {

/// Σⱼ lⱼ ∘ A xⱼ = (1 − k/d) ∘ A Σⱼ xⱼ + (2k/d − 1) ∘ A Σⱼ (j/J) xⱼ
Tensor encode(const Bags& sentences, const Tensor& A, bool position) {
  const Tensor bag = linear(sentences.counts, A);
  if (!position) return bag;
  const Tensor share = (arange(A.size(0), A.dtype()) + 1) / double(A.size(0));  // k/d
  return bag * (1 - share) + linear(sentences.places, A) * (2 * share - 1);
}

}  // namespace gradus::answer
