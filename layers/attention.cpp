#include "layers/attention.h"

#include <fmt/format.h>

#include <cmath>

#include "core/error.h"
#include "layers/initialise.h"

namespace gradus {

namespace {

const Pointwise additive_score{"additive_score",
                               [](Expr q, Expr k, Expr v) { return v * tanh(q + k); }};

/// Axes of size −1 are free.
void check(const char* what, const Tensor& x, const Shape& wanted) {
  bool fits = x.rank() == wanted.rank();
  for (int axis = 0; fits && axis < wanted.rank(); ++axis)
    fits = wanted[axis] < 0 || x.shape()[axis] == wanted[axis];
  if (fits) return;
  std::string text;
  for (int64_t size : wanted)
    text += (text.empty() ? "" : ", ") + (size < 0 ? "…" : fmt::format("{}", size));
  throw Error(fmt::format("attention: wants {} ({}), was given {}", what, text, x.description()));
}

Mask checked_mask(const Mask& mask, const Shape& scores) {
  if (!mask.defined()) return mask;
  const Shape &given = mask.shape(), keys{scores[0], scores[2]};
  if (given.rank() == 2 && given == keys) return mask.unsqueeze(1);
  if (given.rank() == 3 && broadcast("attention", given, scores) == scores) return mask;
  throw Error(
      fmt::format("attention: wants a mask (batch, keys) {} or (batch, queries, keys) {}, "
                  "was given {}",
                  keys.text(), scores.text(), given.text()));
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

Tensor Attention::prepare(const Tensor& keys) const {
  check("keys", keys, {-1, -1, key_size});
  return key ? (*key)(keys) : keys;
}

AttentionOutput Attention::attend(const Tensor& q, const Tensor& prepared, const Tensor& values,
                                  const Mask& mask) const {
  check("a query", q, {-1, -1, query_size});
  const int64_t batch = q.shape()[0], prepared_size = key ? key->weight.size(0) : key_size;
  check("prepared keys", prepared, {batch, -1, prepared_size});
  check("values", values, {batch, prepared.shape()[1], -1});

  Tensor scores;
  if (score == Score::additive) {
    scores = sum(additive_score(unsqueeze((*query)(q), 2), unsqueeze(prepared, 1), v), {-1});
  } else {
    scores = matmul(q, transpose(prepared));
    if (score == Score::scaled_dot) scores = scores / std::sqrt(static_cast<double>(key_size));
  }
  const Tensor weights = softmax(scores, -1, checked_mask(mask, scores.shape()));
  return {matmul(weights, values), weights};
}

AttentionOutput Attention::operator()(const Tensor& query, const Tensor& keys, const Tensor& values,
                                      const Mask& mask) const {
  return attend(query, prepare(keys), values, mask);
}

}  // namespace gradus
