#include "examples/translate/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/autograd/autograd.h"
#include "core/ops/gather.h"
#include "core/ops/mask.h"
#include "core/ops/packed_weight.h"
#include "core/ops/pointwise.h"
#include "core/ops/softmax.h"
#include "core/tensor/error.h"

namespace gradus::translate {

namespace {

/// A hypothesis without <eos> so far, with log p as its score, and the batch row of its state.
struct Growing {
  size_t sentence, row;
  Hypothesis hypothesis;
  std::vector<double> covered = {};  ///< the attention to each source word so far
};

struct Continuation {
  double log_p;
  size_t row;
  int64_t id;
};

/// The `count` most probable continuations of the hypotheses begin, …, end − 1, best first, given
/// log p (growing, target vocabulary) of the next token.
std::vector<Continuation> best_continuations(const std::vector<Growing>& growing, size_t begin,
                                             size_t end, const Tensor& log_p, size_t count) {
  std::vector<Continuation> best;
  const auto classes = static_cast<size_t>(log_p.size(1));
  for (size_t row = begin; row < end; ++row) {
    const auto of_row = log_p.span<float>().subspan(row * classes, classes);
    for (size_t k = 0; k < classes; ++k) {
      const auto id = static_cast<int64_t>(k);
      if (id == pad_id || id == bos_id || id == unk_id) continue;
      const double p = growing[row].hypothesis.score + of_row[k];
      if (best.size() == count && !(p > best.back().log_p)) continue;
      const auto place = std::ranges::upper_bound(best, p, std::greater(), &Continuation::log_p);
      best.insert(place, {p, row, id});
      if (best.size() > count) best.pop_back();
    }
  }
  return best;
}

void keep_best(std::vector<Hypothesis>& hypotheses, size_t count) {
  std::ranges::stable_sort(hypotheses, std::greater(), &Hypothesis::score);
  if (hypotheses.size() > count) hypotheses.resize(count);
}

std::vector<KeyValues> rows_of(const std::vector<KeyValues>& layers, const Tensor& rows) {
  std::vector<KeyValues> result;
  for (const KeyValues& layer : layers)
    result.push_back({gather(layer.keys, rows), gather(layer.values, rows)});
  return result;
}

std::vector<LSTMState> rows_of(const std::vector<LSTMState>& layers, const Tensor& rows) {
  std::vector<LSTMState> result;
  for (const LSTMState& layer : layers)
    result.push_back({gather(layer.h, rows), gather(layer.c, rows)});
  return result;
}

Memory rows_of(const Memory& memory, const Tensor& rows) {
  return {Mask::attend(gather(memory.mask.attended(), rows)), rows_of(memory.attended, rows), {}};
}

DecoderState rows_of(const DecoderState& state, const Tensor& rows) {
  return {state.position, rows_of(state.states, rows),
          state.fed.defined() ? gather(state.fed, rows) : Tensor(), rows_of(state.past, rows)};
}

/// Wu et al. 2016, equation 14: cp = β · Σⱼ log min(Σᵢ aᵢⱼ, 1), a sum over the source words.
/// A word without attention counts as 10⁻⁹.
double coverage_penalty(const std::vector<double>& covered, double beta) {
  double total = 0;
  for (const double sum : covered) total += std::log(std::clamp(sum, 1e-9, 1.0));
  return beta * total;
}

}  // namespace

std::vector<std::vector<Hypothesis>> decode(const Translator& model,
                                            const std::vector<std::vector<int64_t>>& sentences,
                                            const DecodeOptions& options) {
  if (options.beam < 1 || options.longest < 1)
    throw Error(
        fmt::format("decode: expected a beam and a maximum length of at least 1, got {} and {}",
                    options.beam, options.longest));
  const NoGrad pause;
  const ConstantParameters constant;
  const auto beam = static_cast<size_t>(options.beam);
  auto penalty = [&](int64_t length) {
    return std::pow((5 + static_cast<double>(length)) / 6, options.length_penalty);
  };

  std::vector<std::vector<Hypothesis>> finished(sentences.size());
  std::vector<Growing> growing;
  std::vector<std::vector<int64_t>> sources;
  for (size_t i = 0; i < sentences.size(); ++i) {
    if (sentences[i].empty()) {
      finished[i].emplace_back();
    } else {
      growing.push_back({i, growing.size(), {}});
      sources.push_back(sentences[i]);
    }
  }
  if (growing.empty()) return finished;

  Memory memory = model.encode(pad_sequences(sources, pad_id));
  DecoderState state = model.first_state(memory);
  for (int64_t length = 1; !growing.empty(); ++length) {
    std::vector<int64_t> last;
    for (const Growing& g : growing)
      last.push_back(g.hypothesis.ids.empty() ? bos_id : g.hypothesis.ids.back());
    const DecoderStep step = model.step(tensor(last, {std::ssize(last)}), state, memory);
    const Tensor log_p = log_softmax(step.logits);

    std::vector<Growing> next;
    for (size_t begin = 0, end = 0; begin < growing.size(); begin = end) {
      const size_t sentence = growing[begin].sentence, first = next.size();
      while (end < growing.size() && growing[end].sentence == sentence) ++end;
      std::vector<Hypothesis>& done = finished[sentence];
      // At most `beam` of them end the sentence, so `beam` others are among twice as many.
      const auto best = best_continuations(growing, begin, end, log_p, 2 * beam);
      for (size_t rank = 0; rank < best.size(); ++rank) {
        const auto [p, row, id] = best[rank];
        const bool ends = id == eos_id || length == options.longest;
        if (ends ? rank >= beam : next.size() - first == beam) continue;
        Growing grown{sentence, row, growing[row].hypothesis, growing[row].covered};
        grown.hypothesis.score = p;
        if (id != eos_id) grown.hypothesis.ids.push_back(id);
        if (options.attention || options.coverage_penalty > 0) {
          auto weights = step.weights[static_cast<int64_t>(row)].to_vector<double>();
          weights.resize(sentences[sentence].size());
          grown.covered.resize(weights.size());
          std::ranges::transform(grown.covered, weights, grown.covered.begin(), std::plus());
          if (options.attention) grown.hypothesis.attention.push_back(std::move(weights));
        }
        if (ends) {
          grown.hypothesis.score = grown.hypothesis.score / penalty(length) +
                                   coverage_penalty(grown.covered, options.coverage_penalty);
          done.push_back(std::move(grown.hypothesis));
        } else {
          next.push_back(std::move(grown));
        }
      }
      // The score of a growing hypothesis is at most its log p under the largest length penalty
      // without a coverage penalty.
      if (done.size() >= beam && next.size() > first) {
        keep_best(done, beam);
        const double hope = next[first].hypothesis.score / penalty(options.longest);
        if (beam == 1 || done.back().score >= hope) next.resize(first);
      }
    }

    std::vector<int64_t> rows;
    for (const Growing& g : next) rows.push_back(static_cast<int64_t>(g.row));
    std::vector<int64_t> all_rows(growing.size());
    std::iota(all_rows.begin(), all_rows.end(), 0);
    const bool same_rows = rows == all_rows;
    const bool same_sentences =
        std::ranges::equal(growing, next, {}, &Growing::sentence, &Growing::sentence);
    growing = std::move(next);
    if (growing.empty()) break;
    const Tensor kept = tensor(rows, {std::ssize(rows)});
    state = same_rows ? step.state : rows_of(step.state, kept);
    if (!same_sentences) memory = rows_of(memory, kept);
  }
  for (auto& hypotheses : finished) keep_best(hypotheses, beam);
  return finished;
}

}  // namespace gradus::translate
