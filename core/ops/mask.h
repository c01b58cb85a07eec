#pragma once

#include "core/tensor/tensor.h"

namespace gradus {

/// Which positions take part. PyTorch's `True` means *ignore* and Keras' `True` means *attend*, so
/// a mask is only made by names that say what a 1 means.
class Mask {
 public:
  Mask() = default;  ///< nothing is masked; defined() is false
  /// 1 = takes part, 0 = does not (Keras).
  static Mask attend(const Tensor& ones);
  /// 1 = is left out, 0 = takes part (PyTorch).
  static Mask ignore(const Tensor& ones);
  /// (batch, longest): of row b the first lengths[b] positions take part.
  /// Throws Error for a length outside [0, longest].
  static Mask lengths(std::span<const int64_t> lengths, int64_t longest);
  /// (queries, keys): query i sees the keys up to i (aligned at the last, so that a cache fits).
  static Mask causal(int64_t queries, int64_t keys);
  /// (queries, keys): query i sees the keys i − before … i + after (aligned at the last, too).
  /// Throws Error for negative numbers.
  static Mask window(int64_t queries, int64_t keys, int64_t before, int64_t after);

  /// Takes part in both; shapes broadcast.
  Mask operator&(const Mask& other) const;
  /// The same mask with an axis of size 1 put in.
  Mask unsqueeze(int axis) const;
  bool defined() const { return attended_.defined(); }
  const Shape& shape() const { return attended_.shape(); }
  /// 1 where a position takes part, in the wanted float dtype.
  Tensor attended(DType dtype = DType::float32) const;

 private:
  explicit Mask(Tensor attended) : attended_(std::move(attended)) {}
  Tensor attended_;
};

/// x where the mask attends, `value` where it ignores. dL/dx = g where it attends, 0 elsewhere.
/// The mask broadcasts to x; an undefined one leaves x as it is.
Tensor masked_fill(const Tensor& x, const Mask& mask, double value);

}  // namespace gradus
