#include "core/ops/mask.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"

namespace gradus {

Mask Mask::attend(const Tensor& ones) {
  const Tensor values = cast(ones.detach(), DType::float32);
  for (float value : values.to_vector<float>())
    if (value != 0 && value != 1)
      throw Error(
          fmt::format("mask: wants ones and zeros, was given {} in {}", value, ones.description()));
  return Mask(values);
}

Mask Mask::ignore(const Tensor& ones) { return Mask(1 - attend(ones).attended_); }

Mask Mask::lengths(std::span<const int64_t> lengths, int64_t longest) {
  const int64_t batch = static_cast<int64_t>(lengths.size());
  Tensor values = zeros({batch, longest});
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t length = lengths[static_cast<size_t>(b)];
    if (length < 0 || length > longest)
      throw Error(fmt::format("mask: length {} of row {} is outside [0, {}]", length, b, longest));
    std::fill_n(values.mutable_data<float>() + b * longest, length, 1.0f);
  }
  return Mask(values);
}

Mask Mask::causal(int64_t queries, int64_t keys) {
  return window(queries, keys, std::max(queries, keys), 0);
}

Mask Mask::window(int64_t queries, int64_t keys, int64_t before, int64_t after) {
  if (before < 0 || after < 0)
    throw Error(
        fmt::format("mask: a window wants at least 0 keys before and after, was given {} "
                    "and {}",
                    before, after));
  before = std::min(before, queries + keys), after = std::min(after, queries + keys);
  Tensor values = zeros({queries, keys});
  for (int64_t i = 0; i < queries; ++i) {
    const int64_t at = i + keys - queries;
    for (int64_t j = std::max<int64_t>(0, at - before); j <= at + after && j < keys; ++j)
      values.mutable_data<float>()[i * keys + j] = 1;
  }
  return Mask(values);
}

Mask Mask::operator&(const Mask& other) const {
  if (!defined()) return other;
  if (!other.defined()) return *this;
  return Mask(attended_ * other.attended_);
}

Mask Mask::unsqueeze(int axis) const {
  return defined() ? Mask(gradus::unsqueeze(attended_, axis)) : Mask();
}

Tensor Mask::attended(DType dtype) const { return cast(attended_, dtype); }

Tensor masked_fill(const Tensor& x, const Mask& mask, double value) {
  if (!mask.defined()) return x;
  if (broadcast("masked_fill", mask.shape(), x.shape()) != x.shape())
    throw Error(fmt::format("masked_fill: a mask of {} does not broadcast to {}",
                            mask.shape().text(), x.description()));
  return where(mask.attended(x.dtype()), x, value);
}

}  // namespace gradus
