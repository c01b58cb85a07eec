#include "examples/translate/decode.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tests/translate/toy.h"

using namespace gradus;
using namespace gradus::translate;
using Ids = std::vector<int64_t>;

namespace {

const std::vector<Ids> sentences = {{4, 5, 6, 7, 8}, {5}, {}, {8, 4, 3}, {6, 6}, {7, 5, 4, 8}};

Translator make(int64_t target_tokens, uint64_t seed, const ModelOptions& options = {6, 8}) {
  Generator generator(seed);
  Translator model(9, target_tokens, options, generator);
  toy::make_decided(model, seed);
  return model;
}

std::span<float> bias_of(Translator& model) {
  return named_tensors(model).at("output.bias").mutable_span<float>();
}

/// log p of every possible next token.
struct Next {
  std::vector<double> log_p;
  DecoderState state;
  std::vector<double> weights;
};
Next next(const Translator& model, const Memory& memory, const DecoderState& state, int64_t id) {
  const DecoderStep step = model.step(tensor(Ids{id}, {1}), state, memory);
  return {log_softmax(step.logits).to_vector<double>(), step.state,
          step.weights.to_vector<double>()};
}

bool allowed(int64_t id) { return id != pad_id && id != bos_id && id != unk_id; }

/// Length penalty of Wu et al. 2016, equation 14.
double penalty(size_t length, double alpha) {
  return std::pow(5.0 + static_cast<double>(length), alpha) / std::pow(5.0 + 1.0, alpha);
}

struct Grown {
  Ids ids;
  double log_p;
  DecoderState state;
  std::vector<double> covered = {};
};

/// Coverage penalty of Wu et al. 2016, equation 14.
double coverage(const std::vector<double>& covered, double beta) {
  if (beta == 0) return 0;  // 0 · log 0 is no number
  double total = 0;
  if (beta == 0) return total;  // 0 · log 0 where a window leaves out a key
  for (const double sum : covered) total += std::log(std::min(sum, 1.0));
  return beta * total;
}

/// What the architectures and attentions keep between steps differs.
const std::vector<ModelOptions> kinds = {
    {.embedding = 6, .hidden = 8},
    {.embedding = 6, .hidden = 8, .attention = AttentionKind::local_m, .window = 1},
    {.embedding = 6, .hidden = 8, .attention = AttentionKind::multi_head, .heads = 2},
    {.hidden = 8, .layers = 2, .architecture = Architecture::transformer, .heads = 2},
    {.embedding = 6, .hidden = 8, .layers = 3, .architecture = Architecture::gnmt}};

void sort_best_first(std::vector<Hypothesis>& hypotheses) {
  std::ranges::stable_sort(hypotheses, std::greater(), &Hypothesis::score);
}

/// Every translation of up to `longest` tokens, <eos> included; those of `longest` without it too.
void all_translations(const Translator& model, const Memory& memory, const Grown& grown,
                      size_t longest, double alpha, std::vector<Hypothesis>& found) {
  const size_t length = grown.ids.size() + 1;
  const Next after =
      next(model, memory, grown.state, grown.ids.empty() ? bos_id : grown.ids.back());
  for (int64_t id = 0; id < std::ssize(after.log_p); ++id) {
    if (!allowed(id)) continue;
    Grown more{grown.ids, grown.log_p + after.log_p[static_cast<size_t>(id)], after.state};
    if (id != eos_id) more.ids.push_back(id);
    if (id == eos_id || length == longest)
      found.push_back({more.ids, more.log_p / penalty(length, alpha), {}});
    else
      all_translations(model, memory, more, longest, alpha, found);
  }
}

/// Beam search by its definition, one hypothesis at a time and without stopping early.
std::vector<Hypothesis> plain_beam_search(const Translator& model, const Ids& sentence,
                                          const DecodeOptions& options) {
  const NoGrad pause;
  const Memory memory = model.encode(pad_sequences({sentence}, pad_id));
  const auto beam = static_cast<size_t>(options.beam);
  const auto longest = static_cast<size_t>(options.longest);
  std::vector<Grown> growing = {{{}, 0, model.first_state(memory)}};
  std::vector<Hypothesis> done;
  for (size_t length = 1; length <= longest && !growing.empty(); ++length) {
    std::vector<std::pair<Grown, int64_t>> candidates;
    for (const Grown& g : growing) {
      const Next after = next(model, memory, g.state, g.ids.empty() ? bos_id : g.ids.back());
      for (int64_t id = 0; id < std::ssize(after.log_p); ++id)
        if (allowed(id)) {
          std::vector<double> covered = after.weights;
          for (size_t s = 0; s < g.covered.size(); ++s) covered[s] += g.covered[s];
          candidates.push_back(
              {{g.ids, g.log_p + after.log_p[static_cast<size_t>(id)], after.state, covered}, id});
        }
    }
    std::ranges::stable_sort(candidates, std::greater(), [](auto& c) { return c.first.log_p; });
    growing.clear();
    for (size_t rank = 0; rank < candidates.size(); ++rank) {
      auto [grown, id] = candidates[rank];
      if (id != eos_id) grown.ids.push_back(id);
      if (id == eos_id || length == longest) {
        if (rank < beam)
          done.push_back({grown.ids,
                          grown.log_p / penalty(length, options.length_penalty.value_or(0)) +
                              coverage(grown.covered, options.coverage_penalty.value_or(0)),
                          {}});
      } else if (growing.size() < beam) {
        growing.push_back(grown);
      }
    }
  }
  sort_best_first(done);
  if (done.size() > beam) done.resize(beam);
  return done;
}

void check_same(const std::vector<Hypothesis>& ours, const std::vector<Hypothesis>& theirs) {
  REQUIRE(ours.size() == theirs.size());
  for (size_t i = 0; i < ours.size(); ++i) {
    CHECK(ours[i].ids == theirs[i].ids);
    CHECK(ours[i].score == doctest::Approx(theirs[i].score).epsilon(1e-5));
  }
}

}  // namespace

TEST_CASE("greedy decoding takes the most probable token at every step") {
  for (ModelOptions options : kinds)
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      options.layers = std::max(2, options.layers);
      options.input_feeding = seed % 2 == 0;
      const Translator model = make(12, seed, options);
      const NoGrad pause;
      const auto decoded =
          decode(model, sentences, {.length_penalty = 0, .coverage_penalty = 0, .longest = 10});
      for (size_t i = 0; i < sentences.size(); ++i) {
        REQUIRE(decoded[i].size() == 1);
        if (sentences[i].empty()) continue;
        const Memory memory = model.encode(pad_sequences({sentences[i]}, pad_id));
        DecoderState state = model.first_state(memory);
        Ids ids;
        double log_p = 0;
        for (int64_t last = bos_id; last != eos_id && ids.size() < 10;) {
          const Next after = next(model, memory, state, last);
          last = eos_id;
          for (int64_t id = 4; id < 12; ++id)
            if (after.log_p[static_cast<size_t>(id)] > after.log_p[static_cast<size_t>(last)])
              last = id;
          log_p += after.log_p[static_cast<size_t>(last)];
          state = after.state;
          if (last != eos_id) ids.push_back(last);
        }
        CHECK(decoded[i][0].ids == ids);
        CHECK(decoded[i][0].score == doctest::Approx(log_p).epsilon(1e-5));
      }
    }
}

TEST_CASE("a beam that holds all translations finds them all, best first") {
  for (const double alpha : {0.0, 0.6, 1.0})
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      const Translator model = make(6, seed);  // two tokens and <eos>
      const NoGrad pause;
      const Memory memory = model.encode(pad_sequences({{4, 5, 6}}, pad_id));
      std::vector<Hypothesis> all;
      all_translations(model, memory, {{}, 0, model.first_state(memory)}, 4, alpha, all);
      sort_best_first(all);
      REQUIRE(all.size() == 1 + 2 + 4 + 8 + 16);
      DecodeOptions options{.beam = 31, .length_penalty = alpha, .longest = 4};
      check_same(decode(model, {{4, 5, 6}}, options)[0], all);
      options.beam = 24;  // as many as there are continuations at any length
      all.resize(24);
      check_same(decode(model, {{4, 5, 6}}, options)[0], all);
    }
}

TEST_CASE("a batch by beam gives what beam search by its definition gives one by one") {
  for (const ModelOptions& kind : kinds)
    for (const int64_t beam : {1, 2, 3, 5})
      for (const auto& penalties : {std::pair{0.0, 0.0}, {0.6, 0.0}, {1.0, 0.0}, {0.6, 0.4}})
        for (uint64_t seed = 1; seed <= 3; ++seed) {
          const double alpha = penalties.first, beta = penalties.second;
          if (beam == 1 && alpha > 0) continue;  // one hypothesis has nothing to be ranked against
          if (beta > 0 && kind.attention == AttentionKind::local_m) continue;  // log 0
          CAPTURE(name_among(attentions, kind.attention));
          CAPTURE(beam);
          CAPTURE(alpha);
          CAPTURE(beta);
          CAPTURE(seed);
          const Translator model = make(10, seed, kind);
          const DecodeOptions options{
              .beam = beam, .length_penalty = alpha, .coverage_penalty = beta, .longest = 7};
          const auto decoded = decode(model, sentences, options);
          for (size_t i = 0; i < sentences.size(); ++i)
            if (!sentences[i].empty())
              check_same(decoded[i], plain_beam_search(model, sentences[i], options));
        }
}

TEST_CASE("a greedy score is divided by the length penalty, <eos> counted") {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Translator model = make(12, seed);
    const Hypothesis plain = decode(model, {{4, 5}}, {.longest = 8})[0][0];
    const Hypothesis penalised =
        decode(model, {{4, 5}}, {.length_penalty = 0.7, .longest = 8})[0][0];
    CHECK(penalised.ids == plain.ids);
    const size_t length = std::min<size_t>(plain.ids.size() + 1, 8);
    CHECK(penalised.score == doctest::Approx(plain.score / penalty(length, 0.7)));
  }
}

TEST_CASE("the n best are distinct and sorted, and no special token is among their tokens") {
  const Translator model = make(12, 7);
  for (const auto& hypotheses : decode(model, {{4, 5, 6}, {8, 8}}, {.beam = 8, .longest = 9})) {
    CHECK(hypotheses.size() == 8);
    std::set<Ids> distinct;
    for (size_t i = 0; i < hypotheses.size(); ++i) {
      distinct.insert(hypotheses[i].ids);
      for (const int64_t id : hypotheses[i].ids) CHECK(id > unk_id);
      if (i > 0) CHECK(hypotheses[i - 1].score >= hypotheses[i].score);
    }
    CHECK(distinct.size() == 8);
  }
}

TEST_CASE("a sentence's translation does not depend on the batch around it") {
  for (const int64_t beam : {1, 4})
    for (uint64_t seed = 1; seed <= 8; ++seed) {
      ModelOptions kind = kinds[seed % kinds.size()];
      kind.bidirectional = seed % 2 == 0;
      const Translator model = make(12, seed, kind);
      const DecodeOptions options{.beam = beam, .longest = 12, .attention = true};
      const auto together = decode(model, sentences, options);
      for (size_t i = 0; i < sentences.size(); ++i) {
        const auto alone = decode(model, {sentences[i]}, options);
        check_same(together[i], alone[0]);
        for (size_t h = 0; h < alone[0].size(); ++h)
          for (size_t t = 0; t < alone[0][h].attention.size(); ++t)
            for (size_t s = 0; s < sentences[i].size(); ++s)
              CHECK(together[i][h].attention[t][s] ==
                    doctest::Approx(alone[0][h].attention[t][s]).epsilon(1e-4));
      }
    }
}

TEST_CASE("sentences of one batch end at different times, or never") {
  std::set<size_t> lengths;
  for (uint64_t seed = 1; seed <= 5; ++seed)
    for (const auto& hypotheses : decode(make(12, seed), sentences, {.longest = 12}))
      lengths.insert(hypotheses[0].ids.size());
  CHECK(lengths.size() > 3);
  CHECK(*lengths.rbegin() == 12);

  Translator endless = make(12, 1);
  bias_of(endless)[eos_id] = -1e9F;
  for (const int64_t beam : {1, 3}) {
    const auto cut = decode(endless, {{4, 5}}, {.beam = beam, .longest = 5})[0];
    CHECK(std::ssize(cut) == beam);
    for (const Hypothesis& h : cut) CHECK(h.ids.size() == 5);
  }
  Translator silent = make(12, 1);
  bias_of(silent)[eos_id] = 1e9F;
  const auto nothing = decode(silent, {{4, 5}}, {})[0];
  CHECK(nothing.size() == 1);
  CHECK(nothing[0].ids.empty());
  CHECK(nothing[0].score == doctest::Approx(0));
}

TEST_CASE("there is a row of attention per token and for <eos>, which sums to 1 over the source") {
  for (const size_t kind : {0, 2, 3}) {
    const auto decoded = decode(make(12, 2, kinds[kind]), sentences,
                                {.beam = kind == 2 ? 1 : 3, .longest = 6, .attention = true});
    for (size_t i = 0; i < sentences.size(); ++i)
      for (const Hypothesis& h : decoded[i]) {
        if (sentences[i].empty()) continue;
        CHECK(h.attention.size() == std::min<size_t>(h.ids.size() + 1, 6));
        for (const auto& row : h.attention) {
          CHECK(row.size() == sentences[i].size());
          double total = 0;
          for (const double weight : row) total += weight;
          CHECK(total == doctest::Approx(1).epsilon(1e-5));
        }
      }
  }
}

TEST_CASE("a word penalty is added for each token, and finds longer translations above 0") {
  const auto length = [](const Translator& model, double penalty) {
    size_t total = 0;
    for (const auto& hypotheses :
         decode(model, sentences, {.beam = 4, .word_penalty = penalty, .longest = 12}))
      total += hypotheses[0].ids.size();
    return total;
  };
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Translator model = make(12, seed);
    CHECK(length(model, -100) <= length(model, 0));
    CHECK(length(model, 0) <= length(model, 100));
    const NoGrad pause;
    const Translator small = make(6, seed);
    const Memory memory = small.encode(pad_sequences({{4, 5, 6}}, pad_id));
    std::vector<Hypothesis> all;
    all_translations(small, memory, {{}, 0, small.first_state(memory)}, 4, 0, all);
    for (Hypothesis& h : all) h.score += 0.7 * static_cast<double>(h.ids.size());
    sort_best_first(all);
    check_same(decode(small, {{4, 5, 6}}, {.beam = 31, .word_penalty = 0.7, .longest = 4})[0], all);
  }
}

TEST_CASE("blocking n-grams leaves the translations that repeat none, and never none at all") {
  const auto repeats = [](const Ids& ids, int64_t n) {
    std::set<Ids> seen;
    for (auto at = ids.begin(); at + n <= ids.end(); ++at)
      if (!seen.insert(Ids(at, at + n)).second) return true;
    return false;
  };
  for (uint64_t seed = 1; seed <= 5; ++seed)
    for (const int64_t n : {1, 2, 3}) {
      CAPTURE(n);
      const Translator model = make(6, seed);  // two tokens and <eos>
      const NoGrad pause;
      const Memory memory = model.encode(pad_sequences({{4, 5, 6}}, pad_id));
      std::vector<Hypothesis> all;
      all_translations(model, memory, {{}, 0, model.first_state(memory)}, 5, 0, all);
      std::erase_if(all, [&](const Hypothesis& h) { return repeats(h.ids, n); });
      sort_best_first(all);
      check_same(decode(model, {{4, 5, 6}}, {.beam = 63, .no_repeat = n, .longest = 5})[0], all);
      // A model that would never end, given sixty steps and two tokens, ends.
      Translator endless = make(6, seed);
      bias_of(endless)[eos_id] = -1e9F;
      for (const int64_t beam : {1, 2, 5}) {
        const auto found = decode(endless, sentences, {.beam = beam, .no_repeat = n});
        for (const auto& hypotheses : found) {
          REQUIRE(!hypotheses.empty());
          CHECK_FALSE(repeats(hypotheses[0].ids, n));
          CHECK(hypotheses[0].ids.size() < 12);
        }
      }
    }
}

TEST_CASE("<unk> is chosen only where it is asked for") {
  Translator ignorant = make(12, 1);
  bias_of(ignorant)[unk_id] = 1e9F;
  for (const bool unknown : {false, true}) {
    const auto found = decode(ignorant, {{4, 5}}, {.longest = 3, .unknown = unknown})[0][0].ids;
    CHECK((found == Ids{unk_id, unk_id, unk_id}) == unknown);
  }
}

TEST_CASE("an ensemble takes the mean of its models' probabilities at every step") {
  for (const ModelOptions& kind : kinds) {
    const Translator a = make(12, 1, kind), b = make(12, 2), c = make(12, 3, kind);
    const Translator* twice[] = {&a, &a};
    const auto plain = decode(a, sentences, {.beam = 3, .length_penalty = 0, .longest = 8});
    const auto doubled = decode(twice, sentences, {.beam = 3, .length_penalty = 0, .longest = 8});
    for (size_t i = 0; i < sentences.size(); ++i) check_same(doubled[i], plain[i]);

    const NoGrad pause;
    const Translator* all[] = {&a, &b, &c};
    const auto decoded =
        decode(all, {{4, 5, 6}}, {.length_penalty = 0, .longest = 8, .attention = true})[0][0];
    std::vector<Memory> memories;
    std::vector<DecoderState> states;
    for (const Translator* model : all) {
      memories.push_back(model->encode(pad_sequences({{4, 5, 6}}, pad_id)));
      states.push_back(model->first_state(memories.back()));
    }
    Ids ids;
    for (int64_t last = bos_id; ids.size() < 8;) {
      std::vector<double> p(12), weights(3);
      for (size_t m = 0; m < 3; ++m) {
        const Next after = next(*all[m], memories[m], states[m], last);
        states[m] = after.state;
        for (size_t id = 0; id < 12; ++id) p[id] += std::exp(after.log_p[id]) / 3;
        for (size_t s = 0; s < 3; ++s) weights[s] += after.weights[s] / 3;
      }
      for (size_t s = 0; s < 3; ++s)
        CHECK(decoded.attention[ids.size()][s] == doctest::Approx(weights[s]).epsilon(1e-4));
      last = eos_id;
      for (int64_t id = 4; id < 12; ++id)
        if (p[static_cast<size_t>(id)] > p[static_cast<size_t>(last)]) last = id;
      if (last == eos_id) break;
      ids.push_back(last);
    }
    CHECK(decoded.ids == ids);
  }
}

TEST_CASE("GNMT decodes with the penalties of its paper where none are given") {
  const Translator model = make(10, 4, kinds[4]);
  const DecodeOptions given{.beam = 4, .length_penalty = 0.2, .coverage_penalty = 0.2};
  const auto plain = decode(model, sentences, {.beam = 4});
  const auto with = decode(model, sentences, given);
  for (size_t i = 0; i < sentences.size(); ++i) check_same(plain[i], with[i]);
  const auto without =
      decode(model, sentences, {.beam = 4, .length_penalty = 0, .coverage_penalty = 0});
  CHECK(without[0][0].score != plain[0][0].score);
}

TEST_CASE("a sentence without tokens has one hypothesis without tokens") {
  const Translator model = make(12, 1);
  for (const int64_t beam : {1, 3}) {
    const auto decoded = decode(model, {{}, {}}, {.beam = beam});
    REQUIRE(decoded.size() == 2);
    CHECK(decoded[0].size() == 1);
    CHECK(decoded[0][0].ids.empty());
  }
  CHECK(decode(model, {}).empty());
}

TEST_CASE("a beam or a length below 1 is refused") {
  const Translator model = make(12, 1);
  const std::string beam = toy::error_of([&] { decode(model, {{4}}, {.beam = 0}); });
  CHECK(beam.find("got 0 and 60") != std::string::npos);
  const std::string length = toy::error_of([&] { decode(model, {{4}}, {.longest = -2}); });
  CHECK(length.find("got 1 and -2") != std::string::npos);
}
