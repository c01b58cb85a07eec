#include "layers/attention/local_attention.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/functions/mask.h"
#include "core/ops/movement.h"
#include "core/tensor/error.h"

namespace gradus {

namespace {

/// A sequence in blocks of `length`, of which each sees `before` blocks before it and `after`
/// behind it.
struct Blocks {
  int64_t length, before, after;
  bool gradient = true;
  int64_t count = 0;

  /// (…, time, n) → (…, count, length, n), padded with zeros.
  Tensor split(const Tensor& x) const {
    const int64_t time = x.size(-2), all = count * length;
    Shape shape = x.shape().with(x.rank() - 2, length).inserted(x.rank() - 2, count);
    return reshape(contiguous(time < all ? pad(x, -2, 0, all - time) : x), shape);
  }
  /// (…, time, n) → (…, count, seen, n): for each block, those that it sees.
  Tensor seen(const Tensor& x) const {
    const Tensor own = split(x);
    std::vector<Tensor> parts;
    for (int64_t shift = before; shift >= -after; --shift) {
      const int64_t empty = std::min(count, std::abs(shift));
      const Tensor moved = shift > 0   ? pad(slice(own, -3, 0, count - empty), -3, empty, 0)
                           : shift < 0 ? pad(slice(own, -3, empty, count), -3, 0, empty)
                                       : own;
      parts.push_back(shift == 0 || gradient ? moved : moved.detach());
    }
    return concat(parts, -2);
  }
};

AttentionOutput attend_in_blocks(const char* name, Blocks blocks, const AttendFunction& attend,
                                 const Mask& pattern, const Tensor& q, const Tensor& k,
                                 const Tensor& v, const Mask& mask, Generator* generator) {
  const int64_t time = q.size(-2), keys = k.size(-2);
  if (keys > time || v.size(-2) != keys)
    throw Error(
        fmt::format("{}: expected at most one key and one value for each query, got queries {}, "
                    "keys {} and values {}",
                    name, q.description(), k.description(), v.description()));
  Tensor reached = ones({1, keys}, q.dtype());
  if (mask.defined()) {
    const Shape& given = mask.shape();
    if (given.rank() < 2 || given[given.rank() - 2] != 1 || given.back() != keys)
      throw Error(fmt::format("{}: expected a mask of keys of shape (…, 1, {}), got {}", name, keys,
                              given.text()));
    reached = mask.attended(q.dtype());
  }
  while (reached.rank() < q.rank()) reached = unsqueeze(reached, 0);
  blocks.count = (time + blocks.length - 1) / blocks.length;
  const Mask in_sight = Mask::attend(transpose(blocks.seen(transpose(reached))));
  const AttentionOutput result =
      attend(blocks.split(q), blocks.seen(k), blocks.seen(v), in_sight & pattern, generator);
  const Tensor& y = result.output;
  const Shape shape =
      y.shape().without(y.rank() - 3).with(y.rank() - 3, blocks.count * blocks.length);
  return {slice(reshape(contiguous(y), shape), -2, 0, time), {}};
}

/// The length of the longer sequence: a larger window or block would see nothing more.
int64_t longest(const Tensor& q, const Tensor& k) {
  return std::max<int64_t>({1, q.rank() < 2 ? 1 : q.size(-2), k.rank() < 2 ? 1 : k.size(-2)});
}

}  // namespace

AttentionOutput SlidingWindow::operator()(const Tensor& q, const Tensor& k, const Tensor& v,
                                          const Mask& mask, Generator* generator) const {
  if (before < 0 || after < 0 || (before == 0 && after == 0))
    throw Error(fmt::format(
        "sliding window: expected at least 1 key before or after, got {} and {}", before, after));
  const int64_t back = std::min(before, longest(q, k)), ahead = std::min(after, longest(q, k));
  if (!attend)
    return TiledAttention{.span = {.before = back, .after = ahead}}(q, k, v, mask, generator);
  const int64_t length = std::max(back, ahead), seen = back > 0 && ahead > 0 ? 3 : 2;
  // Among the keys that its block sees, query i is at i, or behind the block before it.
  const int64_t first = back > 0 ? length : 0;
  Tensor pattern = zeros({length, seen * length});
  for (int64_t i = 0; i < length; ++i)
    std::fill_n(pattern.mutable_data<float>() + i * seen * length + first + i - back,
                back + 1 + ahead, 1.0F);
  return attend_in_blocks("sliding window", {length, back > 0, ahead > 0}, attend,
                          Mask::attend(pattern), q, k, v, mask, generator);
}

AttentionOutput BlockAttention::operator()(const Tensor& q, const Tensor& k, const Tensor& v,
                                           const Mask& mask, Generator* generator) const {
  if (length < 1)
    throw Error(
        fmt::format("block attention: expected blocks of at least 1 position, got {}", length));
  const int64_t block = std::min(length, longest(q, k));
  const AttendFunction attend = options.attend ? options.attend : TiledAttention{};
  if (!options.attend && options.gradient) {
    const AttentionSpan span{.before = block, .after = 0, .block = block, .causal = options.causal};
    return TiledAttention{.span = span}(q, k, v, mask, generator);
  }
  const Mask pattern = options.causal ? Mask::causal(block, 2 * block) : Mask();
  return attend_in_blocks("block attention", {block, 1, 0, options.gradient}, attend, pattern, q, k,
                          v, mask, generator);
}

}  // namespace gradus
