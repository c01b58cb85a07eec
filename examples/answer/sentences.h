#pragma once

#include "core/tensor/tensor.h"

namespace gradus::answer {

/// Sentences as bags of words, (…, vocabulary): how often each word occurs, and the sum of j/J over
/// its places j = 1 … J in a sentence of J words. That is all that the position encoding needs.
struct Bags {
  Tensor counts, places;
};

/// A vector for each sentence (Sukhbaatar et al. 2015, section 4.1), (…, vocabulary) → (…, d):
///
///     e(A, x) = Σⱼ lⱼ ∘ A xⱼ        lⱼₖ = (1 − j/J) − (k/d)(1 − 2j/J)
///
/// or lⱼₖ = 1 without position encoding: a bag, in which the order of words does not count.
/// A is (d, vocabulary).
Tensor encode(const Bags& sentences, const Tensor& A, bool position = true);

}  // namespace gradus::answer
