#include "layers/attention/copy.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/functions/cross_entropy.h"
#include "core/functions/softmax.h"
#include "core/ops/gather.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/tensor/scope.h"

namespace gradus {

namespace {

constexpr double never = -std::numeric_limits<double>::infinity(), smallest_sum = 1e-30;

void check(const CopyInput& input, const Tensor& source) {
  const Shape a = input.weights.shape(), l = input.logits.shape();
  if (a.rank() != 3 || l.rank() != 3 || l[0] != a[0] || l[1] != a[1])
    throw Error(fmt::format(
        "copy: expected logits of shape (batch, steps, vocabulary) and weights of (batch, steps, "
        "source), got {} and {}",
        input.logits.description(), input.weights.description()));
  const Tensor& x = input.features;
  if (x.rank() != 3 || x.size(0) != a[0] || x.size(1) != a[1])
    throw Error(
        fmt::format("copy: expected features of shape ({}, {}, size) beside weights {}, got {}",
                    a[0], a[1], input.weights.description(), x.description()));
  if (source.dtype() != DType::int64 || source.shape() != Shape{a[0], a[2]})
    throw Error(fmt::format("copy: expected int64 ids of the source of shape {}, got {}",
                            Shape{a[0], a[2]}.text(), source.description()));
}

void check_ids(const char* what, const Tensor& ids, int64_t words) {
  for (const int64_t id : ids.to_vector<int64_t>())
    if (id < 0 || id >= words)
      throw Error(
          fmt::format("copy: expected ids of the {} from 0 to {}, got {}", what, words - 1, id));
}

/// What the mask ignores counts as 0.
Tensor seen_weights(const CopyInput& input, const Mask& mask) {
  if (!mask.defined()) return input.weights;
  const Tensor& a = input.weights;
  if (mask.axes() != Mask::batch_time || mask.shape() != Shape{a.size(0), a.size(2)})
    throw Error(fmt::format("copy: expected a mask of (batch, time) {}, got {}",
                            Shape{a.size(0), a.size(2)}.text(), mask.shape().text()));
  return masked_fill(a, mask.unsqueeze(1), 0);
}

/// log(g · eᵃ + (1 − g) · sum) with log g = −softplus(−z) and log(1 − g) = −softplus(z).
Tensor mixture(const Tensor& z, const Tensor& written, const Tensor& sum) {
  const Tensor copied = log(maximum(sum, smallest_sum));
  return logsumexp(stack({written - softplus(-z), copied - softplus(z)}, 0), {0});
}

}  // namespace

Copy::Copy(int64_t size, Generator& generator) : gate(size, 1, generator) {}

Tensor Copy::operator()(const CopyInput& input, const Tensor& source, int64_t words,
                        const Mask& mask) const {
  const Scope scope(this);
  check(input, source);
  const int64_t batch = input.logits.size(0), steps = input.logits.size(1),
                vocabulary = input.logits.size(2);
  if (words < vocabulary)
    throw Error(fmt::format("copy: expected at least the {} words of the logits, got {}",
                            vocabulary, words));
  check_ids("source", source, words);
  const Tensor weights = seen_weights(input, mask);
  const Tensor rows = source + unsqueeze(arange(batch, DType::int64) * words, 1);
  const Tensor sums = scatter_add(batch * words, rows, transpose(weights));
  const Tensor written = pad(log_softmax(input.logits), -1, 0, words - vocabulary, never);
  return mixture(gate(input.features), written, transpose(reshape(sums, {batch, words, steps})));
}

Tensor Copy::log_p(const CopyInput& input, const Tensor& source, const Tensor& targets,
                   const Mask& mask) const {
  const Scope scope(this);
  check(input, source);
  const Shape expected{input.logits.size(0), input.logits.size(1)};
  if (targets.dtype() != DType::int64 || targets.shape() != expected)
    throw Error(fmt::format("copy: expected int64 targets of shape {}, got {}", expected.text(),
                            targets.description()));
  constexpr int64_t any = std::numeric_limits<int64_t>::max();
  check_ids("source", source, any), check_ids("targets", targets, any);
  const Tensor weights = seen_weights(input, mask);
  const Tensor known = less(targets, input.logits.size(2));
  const CrossEntropyOptions options{.ignored_class = -1, .reduction = Reduction::none};
  const Tensor written = -cross_entropy(input.logits, where(known, targets, -1), options);
  const Tensor is_target = equal(unsqueeze(source, 1), unsqueeze(targets, -1));
  return mixture(squeeze(gate(input.features), -1),
                 where(cast(known, weights.dtype()), written, never),
                 sum(where(cast(is_target, weights.dtype()), weights, 0), {-1}));
}

}  // namespace gradus
