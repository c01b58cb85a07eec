#include "examples/translate/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/autograd/autograd.h"
#include "core/functions/softmax.h"
#include "core/ops/gather.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/tensor/tensor.h"

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

/// The tokens that would end an n-gram for the second time.
std::vector<int64_t> repeating(const std::vector<int64_t>& ids, int64_t n) {
  std::vector<int64_t> result;
  if (n == 0 || std::ssize(ids) < n) return result;
  const auto last = ids.end() - (n - 1);
  for (auto begin = ids.begin(); begin + n <= ids.end(); ++begin)
    if (std::equal(last, ids.end(), begin)) result.push_back(begin[n - 1]);
  return result;
}

/// The `count` most probable continuations of the hypotheses begin, …, end − 1, best first, given
/// log p (growing, target vocabulary) of the next token.
std::vector<Continuation> best_continuations(const std::vector<Growing>& growing, size_t begin,
                                             size_t end, const Tensor& log_p, size_t count,
                                             const DecodeOptions& options) {
  std::vector<Continuation> best;
  const auto classes = static_cast<size_t>(log_p.size(1));
  for (size_t row = begin; row < end; ++row) {
    const auto of_row = log_p.span<float>().subspan(row * classes, classes);
    const std::vector<int64_t> blocked = repeating(growing[row].hypothesis.ids, options.no_repeat);
    for (size_t k = 0; k < classes; ++k) {
      const auto id = static_cast<int64_t>(k);
      if (id == pad_id || id == bos_id || (id == unk_id && !options.unknown)) continue;
      if (std::ranges::find(blocked, id) != blocked.end()) continue;
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
  return {memory.mask.rows(rows), rows_of(memory.attended, rows), {}};
}

std::vector<Memory> rows_of(const std::vector<Memory>& memories, const Tensor& rows) {
  std::vector<Memory> result;
  for (const Memory& memory : memories) result.push_back(rows_of(memory, rows));
  return result;
}

DecoderState rows_of(const DecoderState& state, const Tensor& rows) {
  return {state.position, rows_of(state.states, rows),
          state.fed.defined() ? gather(state.fed, rows) : Tensor(), rows_of(state.past, rows)};
}

/// What a hypothesis with log p, and finished ones of some length and coverage, are worth.
class Scoring {
 public:
  Scoring(const DecodeOptions& options, const Translator& model)
      : alpha_(options.length_penalty.value_or(usual(model))),
        beta_(options.coverage_penalty.value_or(usual(model))),
        per_word_(options.word_penalty),
        longest_(options.longest) {}

  bool needs_coverage() const { return beta_ > 0; }

  /// `length` counts <eos>. Wu et al. 2016, equation 14, of which a word without attention counts
  /// as 10⁻⁹; the word penalty counts the tokens before <eos>.
  double operator()(double log_p, int64_t length, const Growing& grown) const {
    return log_p / penalty(length) + coverage_penalty(grown.covered) +
           per_word_ * static_cast<double>(grown.hypothesis.ids.size());
  }

  /// At least what a growing hypothesis will be worth: its log p under the largest length penalty,
  /// without a coverage penalty.
  double hope(double log_p) const {
    return log_p / penalty(longest_) + std::max(0.0, per_word_ * static_cast<double>(longest_));
  }

 private:
  static double usual(const Translator& model) {
    return model.options.architecture == Architecture::gnmt ? penalty_of_gnmt : 0;
  }
  double penalty(int64_t length) const {
    return std::pow((5 + static_cast<double>(length)) / 6, alpha_);
  }
  double coverage_penalty(const std::vector<double>& covered) const {
    double total = 0;
    for (const double sum : covered) total += std::log(std::clamp(sum, 1e-9, 1.0));
    return beta_ * total;
  }

  double alpha_, beta_, per_word_;
  int64_t longest_;
};

/// One step of each model, and of them all.
struct Step {
  Tensor log_p, weights;
  std::vector<DecoderState> states;
};

Step step_of(std::span<const Translator* const> models, const std::vector<Growing>& growing,
             const std::vector<DecoderState>& before, const std::vector<Memory>& memories) {
  std::vector<int64_t> last;
  for (const Growing& g : growing)
    last.push_back(g.hypothesis.ids.empty() ? bos_id : g.hypothesis.ids.back());
  const Tensor ids = tensor(last, {std::ssize(last)});
  Step all;
  std::vector<Tensor> log_p, weights;
  for (size_t i = 0; i < models.size(); ++i) {
    DecoderStep step = models[i]->step(ids, before[i], memories[i]);
    log_p.push_back(log_softmax(step.logits));
    weights.push_back(step.weights);
    all.states.push_back(std::move(step.state));
  }
  all.log_p = mean_of(log_p);
  all.weights = weights.size() == 1 ? weights[0] : mean(stack(weights, 0), {0});
  return all;
}

}  // namespace

Tensor mean_of(const std::vector<Tensor>& log_p) {
  if (log_p.size() == 1) return log_p[0];
  return logsumexp(stack(log_p, 0), {0}) - std::log(static_cast<double>(log_p.size()));
}

std::vector<std::vector<Hypothesis>> decode(const Translator& model,
                                            const std::vector<std::vector<int64_t>>& sentences,
                                            const DecodeOptions& options) {
  const Translator* one[] = {&model};
  return decode(one, sentences, options);
}

std::vector<std::vector<Hypothesis>> decode(std::span<const Translator* const> models,
                                            const std::vector<std::vector<int64_t>>& sentences,
                                            const DecodeOptions& options) {
  if (options.beam < 1 || options.longest < 1)
    throw Error(
        fmt::format("decode: expected a beam and a maximum length of at least 1, got {} and {}",
                    options.beam, options.longest));
  const NoGrad pause;
  const auto beam = static_cast<size_t>(options.beam);
  const Scoring score(options, *models.front());

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

  const PaddedSequences source = pad_sequences(sources, pad_id);
  std::vector<Memory> memories;
  std::vector<DecoderState> states;
  for (const Translator* model : models) {
    memories.push_back(model->encode(source));
    states.push_back(model->first_state(memories.back()));
  }
  for (int64_t length = 1; !growing.empty(); ++length) {
    const Step step = step_of(models, growing, states, memories);

    std::vector<Growing> next;
    for (size_t begin = 0, end = 0; begin < growing.size(); begin = end) {
      const size_t sentence = growing[begin].sentence, first = next.size();
      while (end < growing.size() && growing[end].sentence == sentence) ++end;
      std::vector<Hypothesis>& done = finished[sentence];
      // At most `beam` of them end the sentence, so `beam` others are among twice as many.
      const auto best = best_continuations(growing, begin, end, step.log_p, 2 * beam, options);
      for (size_t rank = 0; rank < best.size(); ++rank) {
        const auto [p, row, id] = best[rank];
        const bool ends = id == eos_id || length == options.longest;
        if (ends ? rank >= beam : next.size() - first == beam) continue;
        Growing grown{sentence, row, growing[row].hypothesis, growing[row].covered};
        grown.hypothesis.score = p;
        if (id != eos_id) grown.hypothesis.ids.push_back(id);
        if (options.attention || score.needs_coverage()) {
          auto weights = step.weights[static_cast<int64_t>(row)].to_vector<double>();
          weights.resize(sentences[sentence].size());
          grown.covered.resize(weights.size());
          std::ranges::transform(grown.covered, weights, grown.covered.begin(), std::plus());
          if (options.attention) grown.hypothesis.attention.push_back(std::move(weights));
        }
        if (ends) {
          grown.hypothesis.score = score(p, length, grown);
          done.push_back(std::move(grown.hypothesis));
        } else {
          next.push_back(std::move(grown));
        }
      }
      if (done.size() >= beam && next.size() > first) {
        keep_best(done, beam);
        if (beam == 1 || done.back().score >= score.hope(next[first].hypothesis.score))
          next.resize(first);
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
    for (size_t i = 0; i < states.size(); ++i)
      states[i] = same_rows ? step.states[i] : rows_of(step.states[i], kept);
    if (!same_sentences) memories = rows_of(memories, kept);
  }
  for (auto& hypotheses : finished) keep_best(hypotheses, beam);
  return finished;
}

}  // namespace gradus::translate
