#include "examples/answer/reduction_network.h"

#include <fmt/format.h>

#include "core/functions/scan.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/tensor/scope.h"

namespace gradus::answer {

namespace {

const Pointwise reduce{"reduce", [](Expr h, Expr z, Expr q) { return z * q + (1 - z) * h; }};

/// h at each sentence, (sentences, batch, d); from the last place to the first, as stories have
/// the newest sentence first, or the other way round.
std::vector<Tensor> states(const Tensor& z, const Tensor& q, bool forward) {
  const int64_t sentences = z.size(0);
  std::vector<Tensor> all(static_cast<size_t>(sentences));
  Tensor h = zeros({z.size(1), z.size(2)}, z.dtype());
  for (int64_t i = 0; i < sentences; ++i) {
    const int64_t at = forward ? sentences - 1 - i : i;
    const auto here = [&](const Tensor& x) { return squeeze(slice(x, 0, at, at + 1), 0); };
    h = all[static_cast<size_t>(at)] = reduce(h, here(z), here(q));
  }
  return all;
}

}  // namespace

ReductionNetwork::ReductionNetwork(int64_t vocabulary, const ReductionOptions& options,
                                   Generator& generator)
    : words(random_normal({options.size, vocabulary}, 0, 0.5, generator).require_grad()),
      answer(options.size, vocabulary, generator) {
  const int64_t d = options.size;
  if (vocabulary < 1 || d < 1 || options.hops < 1)
    throw Error(fmt::format(
        "reduction_network: expected a vocabulary, a size and hops of at least 1, got {}, {}, {}",
        vocabulary, d, options.hops));
  for (int64_t k = 0; k < options.hops; ++k) {
    hops.push_back({Dense(d, 2 * d, generator), Dense(2 * d, d, generator)});
    slice(hops.back().gates.bias.detach(), 0, 0, d).assign(full({d}, -2.5));
  }
}

ReductionOutput ReductionNetwork::operator()(const Bags& story, const Bags& question,
                                             const Mask& mask) const {
  const Scope scope(this);
  const Tensor told = encode(story, words);
  const Tensor x = contiguous(  // (sentences, batch, d), 0 where the mask ignores
      transpose(mask.defined() ? masked_fill(told, mask.unsqueeze(-1), 0) : told, 0, 1));
  const int64_t d = x.size(2);
  Tensor q = expand(encode(question, words), x.shape());
  ReductionOutput output;
  for (size_t k = 0;; ++k) {
    const Tensor both = sigmoid(hops[k].gates(x * q));
    const Tensor found = slice(both, -1, 0, d), reset = slice(both, -1, d, 2 * d);
    const Tensor z =
        mask.defined() ? found * unsqueeze(transpose(mask.attended(x.dtype())), -1) : found;
    const Tensor reduced = reset * tanh(hops[k].candidate(concat({x, q}, -1)));
    output.gates.push_back(transpose(z, 0, 1));
    const std::vector<Tensor> forward = states(z, reduced, true);
    if (k + 1 == hops.size()) {
      output.logits = answer(forward[0]);
      return output;
    }
    q = stack(forward, 0) + stack(states(z, reduced, false), 0);
  }
}

Tensor looks_of(const ReductionOutput& output) {
  std::vector<Tensor> looks;
  for (const Tensor& z : output.gates) {
    const Tensor left = cumprod(1 - z, 1);  // of what was known before
    const Tensor newer = slice(left, 1, 0, z.size(1) - 1);
    looks.push_back(mean(z * pad(newer, 1, 1, 0, 1), {2}));
  }
  return stack(looks, 1);
}

}  // namespace gradus::answer
