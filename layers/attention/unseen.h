#pragma once

#include "core/functions/mask.h"
#include "layers/attention/attention.h"

/// Keys that no query sees, and queries that see no key, may hold NaN or ∞: their weights and
/// gradients are 0, but 0 · NaN is NaN. So what is not finite is looked for, and only where there
/// is any does an attention compute with zeros in their places.
namespace gradus {

/// Whether x holds neither NaN nor ∞. One whose sum overflows counts as not finite.
bool is_finite(const Tensor& x);

/// x (…, keys, size) with zeros for the keys that no query sees, by a mask that broadcasts to the
/// scores.
Tensor zeros_for_unseen_keys(const Tensor& x, const Mask& mask);
/// x (…, queries, size) with zeros for the queries that see no key.
Tensor zeros_for_blind_queries(const Tensor& x, const Mask& mask);

/// The same where x is not finite, by the mask of a layer: of (batch, time), (queries, keys) or
/// (batch, …, queries, keys), where x may have fewer axes, without heads, or more.
Tensor seen_keys(const Tensor& x, const Mask& mask);
Tensor seeing_queries(const Tensor& x, const Mask& mask);

/// scores(q, k), where NaN in what is not seen changes neither them nor any gradient.
template <class Scores>
Tensor scores_of_seen(const Tensor& q, const Tensor& k, const Mask& mask, const Scores& scores) {
  const Tensor s = scores(q, k);
  if (!mask.defined() || !s.requires_grad()) return s;  // those that are not seen are masked
  // NaN and ∞ go from keys and queries into scores, of which there may be fewer.
  if ((s.numel() < k.numel() + q.numel() ? is_finite(s) : is_finite(k) && is_finite(q))) return s;
  return scores(zeros_for_blind_queries(q, mask), zeros_for_unseen_keys(k, mask));
}

/// weights · values, where NaN in values that are not seen changes neither it nor any gradient.
Tensor sum_of_seen(const Tensor& weights, const Tensor& values, const Mask& mask);

}  // namespace gradus
