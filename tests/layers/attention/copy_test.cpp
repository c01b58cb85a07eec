#include "layers/attention/copy.h"

#include <cmath>
#include <limits>

#include "layers/attention/coverage.h"
#include "layers/check/check.h"
#include "tests/core/helpers.h"
#include "tests/layers/layer_check.h"

using namespace gradus;
using namespace gradus::testing;
using Inputs = const std::vector<Tensor>&;

namespace {

// Two sources of four words, the second one padded; a vocabulary of three, extended to five.
constexpr int64_t batch = 2, steps = 3, size = 2, vocabulary = 3, words = 5;
const Tensor source = tensor({{1, 3, 4, 3}, {2, 3, 0, 0}}, DType::int64);
const Tensor targets = tensor({{3, 4, 1}, {0, 3, 2}}, DType::int64);
const Mask mask = Mask::lengths(std::vector<int64_t>{4, 2}, 4);

CopyInput example(uint64_t seed, const Mask& seen = mask.unsqueeze(1)) {
  const Tensor scores = irregular({batch, steps, 4}, seed + 2);
  return {irregular({batch, steps, size}, seed), irregular({batch, steps, vocabulary}, seed + 1),
          softmax(scores, -1, seen)};
}

Copy copy_layer() {
  Generator generator(1);
  return as_float64(Copy(size, generator));
}

/// With the attention that the weights come from.
struct Pointer {
  static Generator& seeded() {
    static Generator generator(1);
    return generator;
  }
  Attention attention{Score::additive, size, 3, seeded()};
  Copy copy = copy_layer();

  Tensor operator()(const Tensor& states, const Tensor& keys, const Tensor& logits,
                    const Tensor& ids, const Mask& seen) const {
    return copy({states, logits, attention(states, keys, keys, seen).weights}, ids, words, seen);
  }
  void parameters(auto&& visit) { visit("attention", attention), visit("copy", copy); }
};

/// The paper's equations, number by number: p of a word at a step.
double naive(const Copy& copy, const CopyInput& in, int64_t b, int64_t t, int64_t word) {
  const auto at = [&](const Tensor& x, int64_t k) { return x[b][t][k].item(); };
  double z = copy.gate.bias.item(), total = 0, copied = 0;
  for (int64_t k = 0; k < size; ++k) z += copy.gate.weight[0][k].item() * at(in.features, k);
  for (int64_t v = 0; v < vocabulary; ++v) total += std::exp(at(in.logits, v));
  for (int64_t i = 0; i < (b == 0 ? 4 : 2); ++i)
    if (source.to_vector<int64_t>()[size_t(b * 4 + i)] == word) copied += at(in.weights, i);
  const double g = 1 / (1 + std::exp(-z));
  const double written = word < vocabulary ? std::exp(at(in.logits, word)) / total : 0;
  return g * written + (1 - g) * copied;
}

}  // namespace

TEST_CASE("a copy layer is its equations: a mixture of writing and copying") {
  const Copy copy = copy_layer();
  const CopyInput in = example(1);
  const Tensor log_p = copy(in, source, words, mask), one = copy.log_p(in, source, targets, mask);
  CHECK(log_p.shape() == Shape{batch, steps, words});
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t t = 0; t < steps; ++t) {
      for (int64_t word = 0; word < words; ++word)
        CHECK(std::exp(log_p[b][t][word].item()) ==
              doctest::Approx(naive(copy, in, b, t, word)).epsilon(1e-12));
      const int64_t target = targets.to_vector<int64_t>()[size_t(b * steps + t)];
      CHECK(std::exp(one[b][t].item()) ==
            doctest::Approx(naive(copy, in, b, t, target)).epsilon(1e-12));
    }
  CHECK(max(abs(sum(exp(log_p), {-1}) - 1)).item() < 1e-14);
}

TEST_CASE("the copy layer keeps the promises of a layer") {
  const LayerReport whole = check_layer(copy_layer(), example(3, {}), source, words);
  CHECK_MESSAGE(whole.passed(), whole.text());
  const LayerReport padded = check_layer(as_float64(Pointer{}), irregular({batch, steps, size}, 6),
                                         irregular({batch, 4, 3}, 7),
                                         irregular({batch, steps, vocabulary}, 8), source, mask);
  CHECK_MESSAGE(padded.passed(), padded.text());
  const auto log_p = [](const Tensor& features, const Tensor& logits, const Tensor& weights,
                        const Mask& mask) {
    return copy_layer().log_p({features, logits, weights}, source, targets, mask);
  };
  const CopyInput in = example(4, {});
  const LayerReport one = check_layer(log_p, in.features, in.logits, in.weights, Mask());
  for (const auto& finding : one.findings)
    if (finding.check.ends_with("derivatives"))
      CHECK_MESSAGE(finding.outcome == LayerReport::Outcome::passed, finding.words);
}

TEST_CASE("derivatives of the copy layer match finite differences, for all words and for one") {
  Copy copy = copy_layer();
  const CopyInput x = example(5, {});  // a weight of 0 has no derivative
  const std::vector<Tensor> inputs{x.features, x.logits, x.weights};
  check_gradients(copy, inputs, [&](Inputs x) { return copy({x[0], x[1], x[2]}, source, words); });
  check_gradients(copy, inputs, [&](Inputs x) {
    return copy.log_p({x[0], x[1], x[2]}, source, targets, mask);
  });
  check_gradients(copy, {irregular({2, 4, 3}, 6)}, [&](Inputs x) {
    return joined({coverage_loss(softmax(x[0])), copy.gate.weight, copy.gate.bias});
  });
}

TEST_CASE("a certain gate, certain words and weights of 0 give finite losses and gradients") {
  Generator generator(7);
  for (const double gate : {-300.0, 300.0})
    for (const double logit : {-300.0, 0.0, 300.0}) {
      Copy copy(1, generator);
      const Tensor features = full({1, 4, 1}, gate).require_grad();
      const Tensor logits = tensor({{{logit, 0.0, 0.0}}}).require_grad();
      const Tensor weights = tensor({{{1, 0}}}).require_grad();
      copy.gate.weight.assign(ones({1, 1})), copy.gate.bias.assign(zeros({1}));
      // In the source with weight 1, with weight 0, in the vocabulary alone, and nowhere.
      const Tensor p =
          copy.log_p({features, expand(logits, {1, 4, 3}), expand(weights, {1, 4, 2})},
                     tensor({{3, 4}}, DType::int64), tensor({{3, 4, 0, 5}}, DType::int64));
      const double log_g = std::min(0.0, gate), log_c = std::min(0.0, -gate);
      const double nothing = std::log(1e-30);
      const double written = logit - std::log(std::exp(logit) + 2);
      const double of_word = std::isnan(written) || logit > 0 ? 0 : written;
      const std::vector<double> expected{
          log_c, log_c + nothing, std::max(log_g + of_word, log_c + nothing), log_c + nothing};
      const auto got = values(p);
      for (size_t i = 0; i < 4; ++i) CHECK(got[i] == doctest::Approx(expected[i]).epsilon(1e-5));
      for (const Tensor& g : grad({sum(p)}, {features, logits, weights, copy.gate.weight}))
        for (const double value : values(g)) CHECK(std::isfinite(value));
    }
}

TEST_CASE("weights of NaN where the source is padded change neither the copy nor a gradient") {
  for (const double filling :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Copy copy = copy_layer();
    const CopyInput in = example(8);
    const auto results = [&](const Tensor& a) {
      const Tensor weights = a.detach().require_grad();
      const CopyInput with{in.features, in.logits, weights};
      const Tensor y =
          joined({exp(copy(with, source, words, mask)), copy.log_p(with, source, targets, mask)});
      return joined({y, joined(grad({sum(y * y)}, {weights, copy.gate.weight, copy.gate.bias}))});
    };
    const Tensor of_nan = where(mask.unsqueeze(1).attended(DType::float64), in.weights, filling);
    CHECK(max(abs(results(of_nan) - results(in.weights))).item() == 0);
  }
}

TEST_CASE("the loss of coverage is what is attended to again") {
  const Tensor a = tensor({{{0.5, 0.5, 0.0}, {0.25, 0.0, 0.75}, {0.75, 0.125, 0.125}}});
  CHECK(values(coverage_loss(a)) == std::vector{0.0, 0.25, 0.75 + 0.125 + 0.125});
  CHECK(values(coverage_loss(zeros({2, 1, 3}))) == std::vector{0.0, 0.0});
}

TEST_CASE("copy says what it expected and what it got") {
  const Copy copy = copy_layer();
  const CopyInput in = example(9);
  const auto part = [](const std::string& message) { return doctest::Contains(message.c_str()); };
  CHECK_THROWS_WITH_AS(copy(in, source, 2, mask),
                       part("copy: expected at least the 3 words of the logits, got 2, in Copy"),
                       Error);
  CHECK_THROWS_WITH_AS(copy(in, source, 4, mask),
                       part("copy: expected ids of the source from 0 to 3, got 4"), Error);
  CHECK_THROWS_WITH_AS(copy(in, slice(source, 1, 0, 3), words),
                       part("copy: expected int64 ids of the source of shape (2, 4), got"), Error);
  CHECK_THROWS_WITH_AS(copy({in.features, in.logits, in.weights[0]}, source, words),
                       part("and weights of (batch, steps, source), got"), Error);
  CHECK_THROWS_WITH_AS(copy({in.weights, in.logits, in.weights}, source, words), part("in Copy"),
                       Error);
  CHECK_THROWS_WITH_AS(copy(in, source, words, Mask::lengths(std::vector<int64_t>{2, 2}, 3)),
                       part("copy: expected a mask of (batch, time) (2, 4), got (2, 3)"), Error);
  CHECK_THROWS_WITH_AS(copy.log_p(in, source, source),
                       part("copy: expected int64 targets of shape (2, 3), got"), Error);
  CHECK_THROWS_WITH_AS(copy.log_p(in, source, targets - 1),
                       part("copy: expected ids of the targets from 0"), Error);
  CHECK_THROWS_WITH_AS(coverage_loss(ones({2, 3})),
                       part("coverage_loss: expected weights of shape (batch, steps, keys), got"),
                       Error);
}
