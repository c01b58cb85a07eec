#include "layers/attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/scope.h"
#include "layers/initialise.h"

namespace gradus {

namespace {

const Pointwise additive_score{"additive_score",
                               [](Expr q, Expr k, Expr v) { return v * tanh(q + k); }};

/// Axes of size −1 are free. The error names the weight that the size comes from, if there is one.
void check(const char* what, const Tensor& x, const Shape& wanted,
           const std::optional<Dense>& dense = {}) {
  bool fits = x.rank() == wanted.rank();
  for (int axis = 0; fits && axis < wanted.rank(); ++axis)
    fits = wanted[axis] < 0 || x.shape()[axis] == wanted[axis];
  if (fits) return;
  std::string text;
  for (int64_t size : wanted)
    text += (text.empty() ? "" : ", ") + (size < 0 ? "…" : fmt::format("{}", size));
  throw Error(fmt::format("attention: wants {} ({}){}, was given {}", what, text,
                          dense ? fmt::format(" for a weight {}", dense->weight.description()) : "",
                          x.description()));
}

/// (batch, queries, keys), or with sizes of 1 that broadcast to it.
Mask checked_mask(const Mask& mask, const Shape& scores) {
  if (!mask.defined()) return mask;
  const Shape &given = mask.shape(), keys{scores[0], scores[2]};
  if (given == keys) return mask.unsqueeze(1);
  bool fits = given.rank() == 3;
  for (int axis = 0; fits && axis < 3; ++axis)
    fits = given[axis] == 1 || given[axis] == scores[axis];
  if (fits) return mask;
  throw Error(
      fmt::format("attention: wants a mask (batch, keys) {} or (batch, queries, keys) {}, "
                  "was given {}",
                  keys.text(), scores.text(), given.text()));
}

/// How many of `keys` there are up to the last one that any query attends to, but at least one.
int64_t attended_keys(const Mask& mask, int64_t keys) {
  if (!mask.defined() || mask.shape().rank() < 2 || mask.shape().back() != keys) return keys;
  const std::vector<float> attended = mask.attended().to_vector<float>();
  int64_t count = std::min<int64_t>(1, keys);
  for (size_t i = 0; i < attended.size(); ++i)
    if (attended[i] != 0) count = std::max(count, static_cast<int64_t>(i) % keys + 1);
  return count;
}

/// OpenBLAS rounds differently for other sizes: leaving out what nobody attends to makes the sizes,
/// and so the bits, independent of padding.
Tensor first_keys(const Tensor& x, int64_t count) { return slice(x, 1, 0, count); }
Mask first_keys(const Mask& mask, int64_t count) {
  if (!mask.defined() || mask.shape().back() <= count) return mask;
  return Mask::attend(slice(mask.attended(), -1, 0, count));
}

}  // namespace

Attention::Attention(Score score, int64_t query_size, int64_t key_size, Generator& generator,
                     int64_t additive_size)
    : score(score), query_size(query_size), key_size(key_size) {
  if (score == Score::general) {
    key.emplace(key_size, query_size, generator, DenseOptions{.bias = false});
  } else if (score == Score::additive) {
    if (additive_size == 0) additive_size = key_size;
    query.emplace(query_size, additive_size, generator, DenseOptions{.bias = false});
    key.emplace(key_size, additive_size, generator, DenseOptions{.bias = false});
    v = uniform({additive_size}, 1 / std::sqrt(static_cast<double>(additive_size)), generator)
            .require_grad();
  } else if (query_size != key_size) {
    throw Error(
        fmt::format("attention: a dot score wants queries and keys of one size, was given "
                    "{} and {}",
                    query_size, key_size));
  }
}

Tensor Attention::prepare(const Tensor& keys, const Mask& mask) const {
  const Scope scope(this);
  check("keys", keys, {-1, -1, key_size}, key);
  const Tensor attended = first_keys(keys, attended_keys(mask, keys.shape()[1]));
  return key ? (*key)(attended) : attended;
}

AttentionOutput Attention::attend(const Tensor& q, const Tensor& prepared, const Tensor& values,
                                  const Mask& given_mask) const {
  const Scope scope(this);
  check("a query", q, {-1, -1, query_size}, query ? query : key);
  const int64_t batch = q.shape()[0];
  check("values", values, {batch, -1, -1});
  const int64_t all = values.shape()[1];
  const Mask mask = checked_mask(given_mask, {batch, q.shape()[1], all});
  const int64_t count = attended_keys(mask, all);
  const bool is_trimmed = prepared.rank() == 3 && prepared.shape()[1] == count;
  check("prepared keys", prepared,
        {batch, is_trimmed ? count : all, key ? key->weight.size(0) : key_size}, key);

  const Tensor k = first_keys(prepared, count), attended_values = first_keys(values, count);
  Tensor scores;
  {
    const Scope part("score");
    if (score == Score::additive) {
      scores = sum(additive_score(unsqueeze((*query)(q), 2), unsqueeze(k, 1), v), {-1});
    } else {
      scores = matmul(q, transpose(k));
      if (score == Score::scaled_dot) scores = scores / std::sqrt(static_cast<double>(key_size));
    }
  }
  const Tensor weights = softmax(scores, -1, first_keys(mask, count));
  return {matmul(weights, attended_values),
          count == all ? weights : pad(weights, 2, 0, all - count)};
}

AttentionOutput Attention::operator()(const Tensor& query, const Tensor& keys, const Tensor& values,
                                      const Mask& mask) const {
  return attend(query, prepare(keys, mask), values, mask);
}

}  // namespace gradus
