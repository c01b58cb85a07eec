#pragma once

#include "core/functions/mask.h"
#include "layers/attention/attention.h"

namespace gradus {

/// The keys up to the last one that any query attends to, but at least one. The gradients of
/// weights are sums over all keys, some at a time: with others between them, those of other
/// sentences would be added in other groups. Without them, neither bits nor work depend on padding.
struct AttendedKeys {
  /// `scores` is the shape of the scores, (batch, …, queries, keys), the mask one of (batch, time),
  /// of (queries, keys), or of three axes or more that broadcasts to the scores, with the batch
  /// first. It may have more keys, if the others were left out before. Throws Error for any other
  /// mask, in the name of `layer`.
  AttendedKeys(const char* layer, const Mask& mask, Shape scores);

  KeyValues of(const KeyValues& all) const;
  /// Weights with zeros for the keys that are left out.
  Tensor padded(const Tensor& weights) const;

  int64_t all, count;
  Mask mask;  ///< of the `count` keys that are kept; broadcasts to their scores
};

/// The number of keys, of `keys`, up to the last one that the mask attends to.
int64_t attended_keys(const Mask& mask, int64_t keys);

}  // namespace gradus
