#include "layers/attention/attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/functions/dropout.h"
#include "core/functions/mask.h"
#include "core/functions/softmax.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/tensor/scope.h"
#include "layers/attention/attended_keys.h"
#include "layers/attention/unseen.h"
#include "layers/initialise.h"

namespace gradus {

// --- shared by all attentions -------------------------------------------------------------------

AttentionOutput attend(const Tensor& scores, const Tensor& values, const Mask& mask, double rate,
                       Generator* generator) {
  const Tensor weights = softmax(scores, -1, mask);
  return {sum_of_seen(dropout(weights, rate, generator), values, mask), weights};
}

AttentionOutput ScaledDotAttention::operator()(const Tensor& query, const Tensor& keys,
                                               const Tensor& values, const Mask& mask,
                                               Generator* generator) const {
  const double scale = 1 / std::sqrt(static_cast<double>(query.size(-1)));
  const Tensor scores = scores_of_seen(query, keys, mask, [&](const Tensor& q, const Tensor& k) {
    return matmul(q * scale, transpose(k));
  });
  return attend(scores, values, mask, dropout, generator);
}

KeyValues KeyValues::operator+(const KeyValues& more) const {
  return {concat({keys, more.keys}, -2), concat({values, more.values}, -2)};
}

// --- the layer ----------------------------------------------------------------------------------

namespace {

const Pointwise additive_score{"additive_score",
                               [](Expr q, Expr k, Expr v) { return v * tanh(q + k); }};

/// The last axes have the expected sizes, of which −1 is any; others may be before them. The error
/// names the weight that the size comes from.
void check(const char* what, const Tensor& x, const Shape& expected,
           const std::optional<Dense>& dense = {}) {
  const int before = x.rank() - expected.rank();
  bool fits = before >= 0;
  for (int axis = 0; fits && axis < expected.rank(); ++axis)
    fits = expected[axis] < 0 || x.shape()[before + axis] == expected[axis];
  if (fits) return;
  std::string text;
  for (int64_t size : expected)
    text += (text.empty() ? "" : ", ") + (size < 0 ? "…" : fmt::format("{}", size));
  throw Error(fmt::format("attention: expected {} of shape ({}){}, got {}", what, text,
                          dense ? fmt::format(" for a weight {}", dense->weight.description()) : "",
                          x.description()));
}

/// `of` with other last axes.
Shape ending(const Shape& of, int64_t rows, int64_t columns) {
  return of.with(of.rank() - 2, rows).with(of.rank() - 1, columns);
}

Tensor small_uniform(int64_t size, Generator& generator) {
  const double bound = size == 0 ? 0 : 1 / std::sqrt(static_cast<double>(size));
  return uniform({size}, bound, generator).require_grad();
}

}  // namespace

Attention::Attention(Score score, int64_t query_size, int64_t key_size, Generator& generator,
                     AttentionOptions options)
    : score(score), query_size(query_size), key_size(key_size), options(options) {
  if (query_size < 0 || key_size < 0 || options.additive_size < 0)
    throw Error(
        fmt::format("attention: expected sizes of at least 0 for queries, keys and the "
                    "additive score, got {}, {} and {}",
                    query_size, key_size, options.additive_size));
  const DenseOptions no_bias{.bias = false};
  if (score == Score::general) {
    key.emplace(key_size, query_size, generator, no_bias);
  } else if (score == Score::additive) {
    const int64_t size = options.additive_size > 0 ? options.additive_size : key_size;
    query.emplace(query_size, size, generator, no_bias);
    key.emplace(key_size, size, generator, no_bias);
    v = small_uniform(size, generator);
  } else if (score == Score::location) {
    if (options.places < 1)
      throw Error(fmt::format("attention: expected at least 1 place for a location score, got {}",
                              options.places));
    query.emplace(query_size, options.places, generator, no_bias);
  } else if (score != Score::own && query_size != key_size) {
    throw Error(
        fmt::format("attention: expected queries and keys of one size for a dot score, got {} and "
                    "{}",
                    query_size, key_size));
  }
  if (options.focus == Focus::global) return;
  if (options.window < 1)
    throw Error(fmt::format("attention: expected a window of at least 1 for a local focus, got {}",
                            options.window));
  if (options.focus == Focus::local_p) {
    position.emplace(query_size, query_size, generator, no_bias);
    position_v = small_uniform(query_size, generator);
  }
}

Attention::Attention(ScoreFunction score, int64_t query_size, int64_t key_size,
                     Generator& generator, AttentionOptions options)
    : Attention(Score::own, query_size, key_size, generator, options) {
  own = std::move(score);
}

KeyValues Attention::prepare(const Tensor& keys, const Tensor& values, const Mask& mask) const {
  const Scope scope(this);
  check("keys", keys, {-1, -1, key_size}, key);
  check("values", values, ending(keys.shape(), keys.size(-2), -1));
  const int64_t count = attended_keys(mask, keys.size(-2));
  const Tensor attended = slice(keys, -2, 0, count);
  return {key ? (*key)(seen_keys(attended, mask)) : attended, slice(values, -2, 0, count)};
}

namespace {

Tensor scores_of(const Attention& a, const Tensor& q, const Tensor& k) {
  const Scope part("score");
  switch (a.score) {
    case Score::dot:
    case Score::general:
      return matmul(q, transpose(k));
    case Score::scaled_dot:
      return matmul(q, transpose(k)) / std::sqrt(static_cast<double>(a.key_size));
    case Score::additive:
      return sum(additive_score(unsqueeze((*a.query)(q), -2), unsqueeze(k, -3), a.v), {-1});
    case Score::location:
      if (k.size(-2) > a.options.places)
        throw Error(
            fmt::format("attention: expected at most {} keys, the places of the location "
                        "score, got {}",
                        a.options.places, k.size(-2)));
      return slice((*a.query)(q), -1, 0, k.size(-2));
    case Score::own:
      break;
  }
  if (!a.own) throw Error("attention: expected a score function f(q, k), got an empty one");
  const Tensor scores = a.own(unsqueeze(q, -2), unsqueeze(k, -3));
  const Shape expected = ending(q.shape(), q.size(-2), k.size(-2));
  if (!scores.defined() || scores.shape() != expected)
    throw Error(
        fmt::format("attention: expected scores of shape {} of queries {} and keys {}, got "
                    "{}",
                    expected.text(), q.description(), k.description(),
                    scores.defined() ? scores.description() : "an undefined tensor"));
  return scores;
}

/// Luong, Pham, Manning 2015, section 3.2.
struct Neighbourhood {
  Mask window;      // broadcasts to (…, queries, keys)
  Tensor gaussian;  // the same; undefined for local_m

  Neighbourhood(const Attention& a, const Tensor& q, int64_t keys, const Mask& mask,
                int64_t first_query) {
    const double d = static_cast<double>(a.options.window);
    const Tensor place = arange(keys, q.dtype());
    if (a.options.focus == Focus::local_m) {
      const Tensor p = unsqueeze(arange(q.size(-2), q.dtype()), -1) + first_query;
      window = Mask::attend(less_equal(abs(place - p), d));
    } else {
      const Tensor length = mask.defined()
                                ? sum(expand(mask.attended(q.dtype()),
                                             mask.shape().with(mask.shape().rank() - 1, keys)),
                                      {-1}, keepdims)
                                : full({}, static_cast<double>(keys), q.dtype());
      const Tensor p = length * sigmoid(sum(tanh((*a.position)(q)) * a.position_v, {-1}, keepdims));
      const Tensor distance = place - p;
      window = Mask::attend(less_equal(abs(distance.detach()), d));
      gaussian = exp(distance * distance * (-2 / (d * d)));  // σ = D / 2
    }
  }
};

}  // namespace

AttentionOutput Attention::attend(const Tensor& given_query, const KeyValues& prepared,
                                  const Mask& given_mask, int64_t first_query,
                                  Generator* generator) const {
  const Scope scope(this);
  check("queries", given_query, {-1, -1, query_size}, query ? query : key);
  const int64_t given = prepared.values.size(-2);
  check("values", prepared.values, ending(given_query.shape(), -1, -1));
  check("prepared keys", prepared.keys,
        ending(given_query.shape(), given, key ? key->weight.size(0) : key_size), key);
  const AttendedKeys attended("attention", given_mask,
                              ending(given_query.shape(), given_query.size(-2), given));
  const Mask& mask = attended.mask;
  // W_q and W_p take gradients from the queries themselves.
  const Tensor q = query || position ? seeing_queries(given_query, given_mask) : given_query;
  const auto [all_keys, values] = attended.of(prepared);
  // A score function of the user may turn NaN into numbers.
  const Tensor k = score == Score::own ? seen_keys(all_keys, mask) : all_keys;
  const Tensor scores = scores_of_seen(
      q, k, mask, [this](const Tensor& q, const Tensor& k) { return scores_of(*this, q, k); });
  AttentionOutput result;
  if (options.focus == Focus::global) {
    result = gradus::attend(scores, values, mask, options.dropout, generator);
  } else {
    const Neighbourhood near(*this, q, attended.count, mask, first_query);
    result.weights = softmax(scores, -1, mask & near.window);
    if (near.gaussian.defined()) result.weights = result.weights * near.gaussian;
    result.output = sum_of_seen(dropout(result.weights, options.dropout, generator), values, mask);
  }
  return {result.output, attended.padded(result.weights)};
}

AttentionOutput Attention::operator()(const Tensor& query, const Tensor& keys, const Tensor& values,
                                      const Mask& mask, Generator* generator) const {
  {
    const Scope scope(this);
    check("queries", query, {-1, -1, query_size}, this->query ? this->query : key);
    check("keys", keys, {-1, -1, key_size}, key);
    AttendedKeys("attention", mask, ending(query.shape(), query.size(-2), keys.size(-2)));
  }
  // A padded sequence that attends to itself has padded queries.
  const Tensor q = query.is_same_as(keys) ? seen_keys(query, mask) : query;
  return attend(q, prepare(keys, values, mask), mask, 0, generator);
}

}  // namespace gradus
