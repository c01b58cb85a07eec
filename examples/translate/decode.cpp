#include "examples/translate/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/ops.h"

namespace gradus::translate {

namespace {

/// A hypothesis that is still growing, and the row of the batch where its state is.
struct Growing {
  size_t sentence;
  Hypothesis hypothesis;  // its score is log p
};

struct Continuation {
  double log_p;
  size_t row;
  int64_t id;
};

Memory rows_of(const Memory& memory, const Tensor& rows) {
  Memory result{gather(memory.encoded, rows),
                gather(memory.prepared, rows),
                Mask::attend(gather(memory.mask.attended(), rows)),
                {}};
  return result;
}

DecoderState rows_of(const DecoderState& state, const Tensor& rows) {
  DecoderState result;
  for (const LSTMState& layer : state.states)
    result.states.push_back({gather(layer.h, rows), gather(layer.c, rows)});
  if (state.fed.defined()) result.fed = gather(state.fed, rows);
  return result;
}

/// The `count` best continuations of row `row`, whose own log p is `before`.
void add_best(const float* logits, int64_t classes, int64_t count, double before, size_t row,
              std::vector<Continuation>& continuations) {
  const float largest = *std::max_element(logits, logits + classes);
  double total = 0;
  for (int64_t k = 0; k < classes; ++k) total += std::exp(logits[k] - largest);
  const double shift = largest + std::log(total);
  std::vector<int64_t> ids(static_cast<size_t>(classes));
  std::iota(ids.begin(), ids.end(), 0);
  std::erase_if(ids, [](int64_t id) { return id == pad_id || id == bos_id || id == unk_id; });
  const auto end = ids.begin() + std::min<std::ptrdiff_t>(count, std::ssize(ids));
  std::partial_sort(ids.begin(), end, ids.end(), [&](int64_t a, int64_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  for (auto id = ids.begin(); id != end; ++id)
    continuations.push_back({before + logits[*id] - shift, row, *id});
}

}  // namespace

std::vector<std::vector<Hypothesis>> decode(const Translator& model,
                                            const std::vector<std::vector<int64_t>>& sentences,
                                            const DecodeOptions& options) {
  if (options.beam < 1 || options.longest < 1)
    throw Error(fmt::format("decode: wants a beam and a length of at least 1, was given {} and {}",
                            options.beam, options.longest));
  const NoGrad pause;
  const size_t beam = static_cast<size_t>(options.beam);
  auto penalty = [&](size_t length) {
    return std::pow((5 + static_cast<double>(length)) / 6, options.length_penalty);
  };

  std::vector<std::vector<Hypothesis>> finished(sentences.size());
  std::vector<Growing> growing;
  std::vector<std::vector<int64_t>> sources;
  for (size_t i = 0; i < sentences.size(); ++i) {
    if (sentences[i].empty()) {
      finished[i].emplace_back();
    } else {
      growing.push_back({i, {}});
      sources.push_back(sentences[i]);
    }
  }
  if (growing.empty()) return finished;

  Memory memory = model.encode(pad_ids(sources));
  DecoderState state = model.first_state(memory);
  for (int64_t length = 1; !growing.empty(); ++length) {
    std::vector<int64_t> last;
    for (const Growing& g : growing)
      last.push_back(g.hypothesis.ids.empty() ? bos_id : g.hypothesis.ids.back());
    const DecoderStep step =
        model.step(tensor(last, {static_cast<int64_t>(last.size())}), state, memory);
    const int64_t classes = step.logits.size(1), keys = step.weights.size(1);
    const float* logits = step.logits.data<float>();
    const std::vector<double> weights =
        options.attention ? step.weights.to_vector<double>() : std::vector<double>{};

    std::vector<Growing> next;
    std::vector<int64_t> rows;
    for (size_t begin = 0, end = 0; begin < growing.size(); begin = end) {
      const size_t sentence = growing[begin].sentence;
      std::vector<Continuation> best;
      for (; end < growing.size() && growing[end].sentence == sentence; ++end)
        add_best(logits + static_cast<int64_t>(end) * classes, classes, options.beam + 1,
                 growing[end].hypothesis.score, end, best);
      std::stable_sort(best.begin(), best.end(),
                       [](const auto& a, const auto& b) { return a.log_p > b.log_p; });
      std::vector<Hypothesis>& done = finished[sentence];
      const size_t first_row = rows.size();
      for (size_t rank = 0; rank < best.size() && rows.size() - first_row < beam; ++rank) {
        const Continuation& c = best[rank];
        const bool ends = c.id == eos_id;
        if (ends && rank >= beam) continue;  // an end counts only among the best `beam`
        Growing grown = growing[c.row];
        grown.hypothesis.score = c.log_p;
        if (options.attention) {
          const auto row = weights.begin() + static_cast<std::ptrdiff_t>(c.row) * keys;
          grown.hypothesis.attention.emplace_back(row, row + std::ssize(sentences[sentence]));
        }
        if (!ends) grown.hypothesis.ids.push_back(c.id);
        if (ends || length == options.longest) {
          grown.hypothesis.score /= penalty(static_cast<size_t>(length));
          done.push_back(std::move(grown.hypothesis));
          if (length == options.longest && done.size() >= beam) break;
        } else {
          next.push_back(std::move(grown));
          rows.push_back(static_cast<int64_t>(c.row));
        }
        if (ends && beam == 1) break;
      }
      // With enough finished ones, better than what the best growing one can still become, stop.
      if (done.size() >= beam && rows.size() > first_row) {
        std::vector<double> scores;
        for (const Hypothesis& h : done) scores.push_back(h.score);
        std::sort(scores.rbegin(), scores.rend());
        const double hope =
            next[first_row].hypothesis.score / penalty(static_cast<size_t>(options.longest));
        if (scores[beam - 1] >= hope) {
          rows.resize(first_row);
          next.resize(first_row);
        }
      }
    }
    const Tensor kept = tensor(rows, {static_cast<int64_t>(rows.size())});
    growing = std::move(next);
    if (growing.empty()) break;
    bool same = rows.size() == last.size();
    for (size_t i = 0; same && i < rows.size(); ++i) same = rows[i] == static_cast<int64_t>(i);
    state = same ? step.state : rows_of(step.state, kept);
    if (!same) memory = rows_of(memory, kept);
  }
  for (auto& hypotheses : finished) {
    std::stable_sort(hypotheses.begin(), hypotheses.end(),
                     [](const auto& a, const auto& b) { return a.score > b.score; });
    if (hypotheses.size() > beam) hypotheses.resize(beam);
  }
  return finished;
}

}  // namespace gradus::translate
