#pragma once

#include "core/ops/mask.h"
#include "layers/attention/attention.h"

namespace gradus {

/// The keys up to the last one that any query attends to, but at least one. OpenBLAS rounds
/// differently for other sizes: leaving out the others makes the sizes, and so the bits,
/// independent of padding.
struct AttendedKeys {
  /// `scores` is the shape of the scores, (batch, …, queries, keys), the mask (batch, keys),
  /// (batch, queries, keys) or one that broadcasts to the scores. Its keys may be more, if those
  /// are what was left out before. Throws Error for any other mask, in the name of `layer`.
  AttendedKeys(const char* layer, const Mask& mask, Shape scores);

  KeyValues of(const KeyValues& all) const;
  /// Weights with zeros for the keys that were left out.
  Tensor padded(const Tensor& weights) const;

  int64_t all, count;
  Mask mask;  ///< of those that are kept; broadcasts to their scores
};

/// How many they are, of `keys`.
int64_t attended_keys(const Mask& mask, int64_t keys);

}  // namespace gradus
