#include "layers/attention/multi_head_attention.h"

#include <fmt/format.h>

#include <cmath>

#include "core/functions/mask.h"
#include "core/ops/movement.h"
#include "core/tensor/error.h"
#include "core/tensor/scope.h"
#include "layers/attention/attended_keys.h"
#include "layers/attention/unseen.h"
#include "layers/initialise.h"

namespace gradus {

namespace {

void check(const char* what, const Tensor& x, int64_t batch, int64_t time, const Dense& dense) {
  const int64_t size = dense.weight.size(1);
  if (x.rank() == 3 && (batch < 0 || x.shape()[0] == batch) && (time < 0 || x.shape()[1] == time) &&
      x.shape()[2] == size)
    return;
  auto text = [](int64_t n) { return n < 0 ? std::string("…") : std::to_string(n); };
  throw Error(fmt::format(
      "multi-head attention: expected {} of shape ({}, {}, {}) for a weight {}, got {}", what,
      text(batch), text(time), size, dense.weight.description(), x.description()));
}

/// (batch, time, heads · n) → (batch, heads, time, n)
Tensor cut(const Tensor& x, int64_t heads) {
  return permute(reshape(x, {x.size(0), x.size(1), heads, x.size(2) / heads}), {0, 2, 1, 3});
}

/// (batch, heads, time, n) → (batch, time, heads · n)
Tensor joined(const Tensor& x) {
  return reshape(contiguous(permute(x, {0, 2, 1, 3})),
                 {x.size(0), x.size(2), x.size(1) * x.size(3)});
}

int64_t checked_heads(int64_t size, int64_t heads, const MultiHeadOptions& options) {
  if (size < 1)
    throw Error(fmt::format("multi-head attention: expected a size of at least 1, got {}", size));
  if (options.key_size < 0 || options.value_size < 0)
    throw Error(
        fmt::format("multi-head attention: expected sizes of at least 0 for keys and values, "
                    "got {} and {}",
                    options.key_size, options.value_size));
  if (!options.attend)
    throw Error("multi-head attention: expected an attention within each head, got none");
  if (heads >= 1 && size % heads == 0) return heads;
  std::string possible;
  for (int64_t n = 1; n <= size; ++n)
    if (size % n == 0) possible += (possible.empty() ? "" : ", ") + std::to_string(n);
  throw Error(
      fmt::format("multi-head attention: expected heads that divide the size {} ({}), got {}", size,
                  possible, heads));
}

}  // namespace

MultiHeadAttention::MultiHeadAttention(int64_t size, int64_t heads, Generator& generator,
                                       MultiHeadOptions options)
    : heads(checked_heads(size, heads, options)),
      attend_head(std::move(options.attend)),
      query(size, size, generator, {options.bias}),
      key(options.key_size > 0 ? options.key_size : size, size, generator, {options.bias}),
      value(options.value_size > 0 ? options.value_size : size, size, generator, {options.bias}),
      output(size, size, generator, {options.bias}) {
  for (Dense* dense : {&query, &key, &value})  // PyTorch draws the three as one matrix
    dense->weight.assign(xavier_uniform(dense->weight.shape(), generator, std::sqrt(0.5)));
  for (Dense* dense : {&query, &key, &value, &output})
    if (options.bias) dense->bias.assign(zeros({size}));
}

KeyValues MultiHeadAttention::prepare(const Tensor& keys, const Tensor& values,
                                      const Mask& mask) const {
  const Scope scope(this);
  check("keys", keys, -1, -1, key);
  check("values", values, keys.size(0), keys.size(1), value);
  const int64_t count = attended_keys(mask, keys.size(1));
  const Tensor k = seen_keys(slice(keys, 1, 0, count), mask);
  const Tensor v = values.is_same_as(keys) ? k : seen_keys(slice(values, 1, 0, count), mask);
  return {cut(key(k), heads), cut(value(v), heads)};
}

AttentionOutput MultiHeadAttention::attend(const Tensor& x, const KeyValues& prepared,
                                           const Mask& mask, Generator* generator) const {
  const Scope scope(this);
  const Shape& shape = prepared.keys.shape();
  const int64_t size = query.weight.size(0);
  if (shape.rank() != 4 || shape[1] != heads || shape[3] * heads != size ||
      prepared.values.shape() != shape)
    throw Error(fmt::format(
        "multi-head attention: expected prepared keys and values of shape (batch, {}, keys, {}), "
        "got {} and {}",
        heads, size / heads, prepared.keys.description(), prepared.values.description()));
  check("queries", x, shape[0], -1, query);
  const AttendedKeys attended("multi-head attention", mask, {shape[0], heads, x.size(1), shape[2]});
  const auto [k, v] = attended.of(prepared);
  const Tensor q = cut(query(seeing_queries(x, mask)), heads);
  const AttentionOutput result = attend_head(q, k, v, attended.mask, generator);
  return {output(joined(result.output)), attended.padded(result.weights)};
}

AttentionOutput MultiHeadAttention::operator()(const Tensor& query, const Tensor& keys,
                                               const Tensor& values, const Mask& mask,
                                               Generator* generator) const {
  {
    const Scope scope(this);
    check("queries", query, -1, -1, this->query);
    check("keys", keys, query.size(0), -1, key);
    AttendedKeys("multi-head attention", mask, {query.size(0), heads, query.size(1), keys.size(1)});
  }
  // A padded sequence that attends to itself has padded queries.
  const Tensor q = query.is_same_as(keys) ? seen_keys(query, mask) : query;
  return attend(q, prepare(keys, values, mask), mask, generator);
}

}  // namespace gradus
