#include "layers/attention/local_attention.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/ops/mask.h"
#include "core/ops/movement.h"
#include "core/tensor/error.h"

namespace gradus {

namespace {

/// How a sequence is cut: links of `length`, each with so many links before and after it in sight.
struct Cut {
  int64_t length, before, after;
  bool gradient = true;
  int64_t links = 0;

  /// (…, time, n) → (…, links, length, n), filled up with zeros.
  Tensor apart(const Tensor& x) const {
    const int64_t time = x.size(-2), all = links * length;
    Shape shape = x.shape().with(x.rank() - 2, length).inserted(x.rank() - 2, links);
    return reshape(contiguous(time < all ? pad(x, -2, 0, all - time) : x), shape);
  }
  /// (…, time, n) → (…, links, seen, n): each link with those in sight.
  Tensor in_sight(const Tensor& x) const {
    const Tensor own = apart(x);
    std::vector<Tensor> parts;
    for (int64_t shift = before; shift >= -after; --shift) {
      const int64_t empty = std::min(links, std::abs(shift));
      const Tensor moved = shift > 0   ? pad(slice(own, -3, 0, links - empty), -3, empty, 0)
                           : shift < 0 ? pad(slice(own, -3, empty, links), -3, 0, empty)
                                       : own;
      parts.push_back(shift == 0 || gradient ? moved : moved.detach());
    }
    return concat(parts, -2);
  }
};

AttentionOutput attend_in_links(const char* name, Cut cut, const AttendFunction& attend,
                                const Mask& pattern, const Tensor& q, const Tensor& k,
                                const Tensor& v, const Mask& mask, Generator* dropout) {
  const int64_t time = q.size(-2), keys = k.size(-2);
  if (keys > time || v.size(-2) != keys)
    throw Error(
        fmt::format("{}: wants one key and one value a query, was given queries {}, keys "
                    "{}, values {}",
                    name, q.description(), k.description(), v.description()));
  Tensor reached = ones({1, keys}, q.dtype());
  if (mask.defined()) {
    const Shape& given = mask.shape();
    if (given.rank() < 2 || given[given.rank() - 2] != 1 || given.back() != keys)
      throw Error(fmt::format("{}: wants a mask of keys (…, 1, {}), was given {}", name, keys,
                              given.text()));
    reached = mask.attended(q.dtype());
  }
  while (reached.rank() < q.rank()) reached = unsqueeze(reached, 0);
  cut.links = (time + cut.length - 1) / cut.length;
  const Mask in_sight = Mask::attend(transpose(cut.in_sight(transpose(reached))));
  const AttentionOutput result =
      attend(cut.apart(q), cut.in_sight(k), cut.in_sight(v), in_sight & pattern, dropout);
  const Tensor& y = result.output;
  const Shape shape = y.shape().without(y.rank() - 3).with(y.rank() - 3, cut.links * cut.length);
  return {slice(reshape(contiguous(y), shape), -2, 0, time), {}};
}

/// What a window or a link need not exceed: beyond the sequence there is nothing to see.
int64_t longest(const Tensor& q, const Tensor& k) {
  return std::max<int64_t>({1, q.rank() < 2 ? 1 : q.size(-2), k.rank() < 2 ? 1 : k.size(-2)});
}

}  // namespace

AttentionOutput SlidingWindow::operator()(const Tensor& q, const Tensor& k, const Tensor& v,
                                          const Mask& mask, Generator* dropout) const {
  if (before < 0 || after < 0 || (before == 0 && after == 0))
    throw Error(
        fmt::format("sliding window: wants at least 1 key before or after, was given {} "
                    "and {}",
                    before, after));
  const int64_t back = std::min(before, longest(q, k)), ahead = std::min(after, longest(q, k));
  if (!attend)
    return TiledAttention{.reach = {.before = back, .after = ahead}}(q, k, v, mask, dropout);
  const int64_t length = std::max(back, ahead), seen = back > 0 && ahead > 0 ? 3 : 2;
  // Within the keys in sight, query i of a link stands at place i, or behind the link before.
  const int64_t first = back > 0 ? length : 0;
  Tensor pattern = zeros({length, seen * length});
  for (int64_t i = 0; i < length; ++i)
    std::fill_n(pattern.mutable_data<float>() + i * seen * length + first + i - back,
                back + 1 + ahead, 1.0F);
  return attend_in_links("sliding window", {length, back > 0, ahead > 0}, attend,
                         Mask::attend(pattern), q, k, v, mask, dropout);
}

AttentionOutput BlockAttention::operator()(const Tensor& q, const Tensor& k, const Tensor& v,
                                           const Mask& mask, Generator* dropout) const {
  if (length < 1)
    throw Error(fmt::format("chain: wants links of at least 1 position, was given {}", length));
  const int64_t link = std::min(length, longest(q, k));
  const AttendFunction attend = options.attend ? options.attend : TiledAttention{};
  if (!options.attend && options.gradient) {
    const AttentionSpan reach{.before = link, .after = 0, .link = link, .causal = options.causal};
    return TiledAttention{.reach = reach}(q, k, v, mask, dropout);
  }
  const Mask pattern = options.causal ? Mask::causal(link, 2 * link) : Mask();
  return attend_in_links("chain", {link, 1, 0, options.gradient}, attend, pattern, q, k, v, mask,
                         dropout);
}

}  // namespace gradus
