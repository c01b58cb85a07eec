#include "layers/attention/attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/autograd/scope.h"
#include "core/ops/dropout.h"
#include "core/ops/mask.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/ops/softmax.h"
#include "core/tensor/error.h"
#include "layers/attention/attended_keys.h"
#include "layers/initialise.h"

namespace gradus {

// --- what all attentions share ------------------------------------------------------------------

AttentionOutput attend(const Tensor& scores, const Tensor& values, const Mask& mask, double rate,
                       Generator* generator) {
  const Tensor weights = softmax(scores, -1, mask);
  return {matmul(dropout(weights, rate, generator), values), weights};
}

AttentionOutput ScaledDotAttention::operator()(const Tensor& query, const Tensor& keys,
                                               const Tensor& values, const Mask& mask,
                                               Generator* generator) const {
  const double scale = 1 / std::sqrt(static_cast<double>(query.size(-1)));
  return attend(matmul(query * scale, transpose(keys)), values, mask, dropout, generator);
}

KeyValues KeyValues::operator+(const KeyValues& more) const {
  return {concat({keys, more.keys}, -2), concat({values, more.values}, -2)};
}

// --- the layer
// ------------------------------------------------------------------------------------

namespace {

const Pointwise additive_score{"additive_score",
                               [](Expr q, Expr k, Expr v) { return v * tanh(q + k); }};

/// The last axes have these sizes, and others may stand before them; −1 is free. The error names
/// the weight that the size comes from, if there is one.
void check(const char* what, const Tensor& x, const Shape& wanted,
           const std::optional<Dense>& dense = {}) {
  const int before = x.rank() - wanted.rank();
  bool fits = before >= 0;
  for (int axis = 0; fits && axis < wanted.rank(); ++axis)
    fits = wanted[axis] < 0 || x.shape()[before + axis] == wanted[axis];
  if (fits) return;
  std::string text;
  for (int64_t size : wanted)
    text += (text.empty() ? "" : ", ") + (size < 0 ? "…" : fmt::format("{}", size));
  throw Error(fmt::format("attention: wants {} ({}){}, was given {}", what, text,
                          dense ? fmt::format(" for a weight {}", dense->weight.description()) : "",
                          x.description()));
}

/// `of` with other last axes.
Shape ending(const Shape& of, int64_t rows, int64_t columns) {
  return of.with(of.rank() - 2, rows).with(of.rank() - 1, columns);
}

Tensor small_uniform(int64_t size, Generator& generator) {
  return uniform({size}, 1 / std::sqrt(static_cast<double>(size)), generator).require_grad();
}

}  // namespace

Attention::Attention(Score score, int64_t query_size, int64_t key_size, Generator& generator,
                     AttentionOptions options)
    : score(score), query_size(query_size), key_size(key_size), options(options) {
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
      throw Error(fmt::format(
          "attention: a location score wants the number of places, at least 1, was given {}",
          options.places));
    query.emplace(query_size, options.places, generator, no_bias);
  } else if (score != Score::own && query_size != key_size) {
    throw Error(
        fmt::format("attention: a dot score wants queries and keys of one size, was given "
                    "{} and {}",
                    query_size, key_size));
  }
  if (options.focus == Focus::global) return;
  if (options.window < 1)
    throw Error(fmt::format("attention: a local focus wants a window of at least 1, was given {}",
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
  return {key ? (*key)(attended) : attended, slice(values, -2, 0, count)};
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
        throw Error(fmt::format("attention: a location score of {} places was given {} keys",
                                a.options.places, k.size(-2)));
      return slice((*a.query)(q), -1, 0, k.size(-2));
    case Score::own:
      break;
  }
  if (!a.own)
    throw Error("attention: a score of one's own wants a function f(q, k), was given none");
  const Tensor scores = a.own(unsqueeze(q, -2), unsqueeze(k, -3));
  const Shape wanted = ending(q.shape(), q.size(-2), k.size(-2));
  if (!scores.defined() || scores.shape() != wanted)
    throw Error(fmt::format("attention: the score of queries {} and keys {} wants to be {}, was {}",
                            q.description(), k.description(), wanted.text(),
                            scores.defined() ? scores.description() : "given no value"));
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

AttentionOutput Attention::attend(const Tensor& q, const KeyValues& prepared,
                                  const Mask& given_mask, int64_t first_query,
                                  Generator* generator) const {
  const Scope scope(this);
  check("a query", q, {-1, -1, query_size}, query ? query : key);
  const int64_t given = prepared.values.size(-2);
  check("values", prepared.values, ending(q.shape(), -1, -1));
  check("prepared keys", prepared.keys,
        ending(q.shape(), given, key ? key->weight.size(0) : key_size), key);
  const AttendedKeys attended("attention", given_mask, ending(q.shape(), q.size(-2), given));
  const auto [k, values] = attended.of(prepared);
  const Tensor scores = scores_of(*this, q, k);
  AttentionOutput result;
  if (options.focus == Focus::global) {
    result = gradus::attend(scores, values, attended.mask, options.dropout, generator);
  } else {
    const Neighbourhood near(*this, q, attended.count, attended.mask, first_query);
    result.weights = softmax(scores, -1, attended.mask & near.window);
    if (near.gaussian.defined()) result.weights = result.weights * near.gaussian;
    result.output = matmul(dropout(result.weights, options.dropout, generator), values);
  }
  return {result.output, attended.padded(result.weights)};
}

AttentionOutput Attention::operator()(const Tensor& query, const Tensor& keys, const Tensor& values,
                                      const Mask& mask, Generator* dropout) const {
  check("a query", query, {-1, -1, query_size}, this->query ? this->query : key);
  check("keys", keys, {-1, -1, key_size}, key);
  AttendedKeys("attention", mask, ending(query.shape(), query.size(-2), keys.size(-2)));
  return attend(query, prepare(keys, values, mask), mask, 0, dropout);
}

}  // namespace gradus
