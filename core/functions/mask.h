#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "core/tensor/tensor.h"

namespace gradus {

/// Which positions take part. PyTorch's `True` means *ignore* and Keras' `True` means *attend*, so
/// a mask is only made by names that say what a 1 means. A mask knows what its axes mean, and one
/// that is made of lengths knows these.
class Mask {
 public:
  /// What the axes of a mask mean. Two axes can be (batch, time), for every layer that takes
  /// sequences, or (queries, keys), for an attention in which all rows of the batch see the same.
  /// `elements` are the axes of the tensor that is masked, to which the mask broadcasts; an
  /// attention then expects three or four, (batch, queries, keys) or (batch, heads, queries, keys).
  enum class Axes { elements, batch_time, queries_keys };
  using enum Axes;

  Mask() = default;  ///< nothing is masked; defined() is false
  /// 1 = takes part, 0 = does not (Keras).
  /// Throws Error for other values, and unless a mask of (batch, time) or (queries, keys) has two
  /// axes.
  static Mask attend(const Tensor& ones, Axes axes = elements);
  /// 1 = is left out, 0 = takes part (PyTorch).
  static Mask ignore(const Tensor& ones, Axes axes = elements);
  /// (batch, longest): of row b the first lengths[b] positions take part.
  /// Throws Error for a length outside [0, longest].
  static Mask lengths(std::span<const int64_t> lengths, int64_t longest);
  /// (queries, keys): query i sees the keys up to i (aligned at the last, so that a cache fits).
  static Mask causal(int64_t queries, int64_t keys);
  /// (queries, keys): query i sees the keys i − before … i + after (aligned at the last, too).
  /// Throws Error for negative numbers.
  static Mask window(int64_t queries, int64_t keys, int64_t before, int64_t after);

  /// Takes part in both. (batch, time) becomes (batch, 1, …, time) beside masks of more axes and
  /// beside (queries, keys), with which it gives (batch, queries, keys); else shapes broadcast.
  Mask operator&(const Mask& other) const;
  /// The same mask with an axis of size 1 put in; its axes are then those of the elements.
  Mask unsqueeze(int axis) const;
  /// The first `count` positions of the last axis.
  Mask first(int64_t count) const;
  /// These rows of the first axis, int64 (n), in this order. Throws Error for one that is not
  /// there.
  Mask rows(const Tensor& rows) const;

  bool defined() const { return facts_ != nullptr; }
  const Shape& shape() const { return facts().attended.shape(); }
  Axes axes() const { return facts().axes; }
  /// Of each row, if the mask was made of lengths; else empty.
  std::span<const int64_t> lengths() const { return facts().lengths; }
  /// The number of positions on the last axis up to the last one that takes part in any row. It is
  /// looked for once.
  int64_t last() const;
  /// 1 where a position takes part, in the wanted float dtype.
  Tensor attended(DType dtype = DType::float32) const;

 private:
  struct Facts {
    Tensor attended;
    Axes axes = elements;
    std::vector<int64_t> lengths = {};
    mutable std::atomic<int64_t> last = -1;  // −1: not looked for yet
  };
  Mask(Tensor attended, Axes axes, std::vector<int64_t> lengths = {});
  const Facts& facts() const;

  std::shared_ptr<const Facts> facts_;
};

/// Throws Error in the name of `op` unless the mask broadcasts to the shape; an undefined one does.
/// A mask of (batch, time) does so only to two axes.
void check_broadcast(const char* op, const Mask& mask, const Shape& to);

/// x where the mask attends, `value` where it ignores. dL/dx = g where it attends, 0 elsewhere.
/// The mask broadcasts to x; an undefined one leaves x as it is.
Tensor masked_fill(const Tensor& x, const Mask& mask, double value);

}  // namespace gradus
