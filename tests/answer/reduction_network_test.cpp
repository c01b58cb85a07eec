#include "examples/answer/reduction_network.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/ops/movement.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "layers/check/check.h"
#include "tests/answer/bags.h"

using namespace gradus;
using namespace gradus::answer;

namespace {

ReductionNetwork network(const ReductionOptions& options) {
  Generator generator(3);
  return redrawn(ReductionNetwork(vocabulary, options, generator));
}

/// The equations, sentence by sentence and number by number.
struct Naive {
  const ReductionNetwork& n;
  size_t d = static_cast<size_t>(n.words.size(0));

  static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
  static double dense(const Dense& layer, size_t row, const Vector& x) {
    double sum = layer.bias.span<float>()[row];
    for (size_t i = 0; i < x.size(); ++i) sum += at(layer.weight, row, i) * x[i];
    return sum;
  }
  /// The logits of a story, told from the oldest sentence to the newest one; what each hop's last
  /// state holds of each sentence is appended to `looks`.
  Vector operator()(const std::vector<Words>& story, const Words& question,
                    std::vector<double>& looks) const {
    const size_t sentences = story.size();
    std::vector<Vector> q(sentences, encoded(question, n.words)), forward, backward;
    for (const ReductionNetwork::Hop& hop : n.hops) {
      std::vector<Vector> z(sentences, Vector(d)), reduced = z;
      for (size_t i = 0; i < sentences; ++i) {
        const Vector x = encoded(story[i], n.words);
        Vector product(d), both = x;
        for (size_t k = 0; k < d; ++k) product[k] = x[k] * q[i][k];
        both.insert(both.end(), q[i].begin(), q[i].end());
        for (size_t k = 0; k < d; ++k) {
          z[i][k] = sigmoid(dense(hop.gates, k, product));
          reduced[i][k] =
              sigmoid(dense(hop.gates, d + k, product)) * std::tanh(dense(hop.candidate, k, both));
        }
      }
      forward = backward = std::vector<Vector>(sentences, Vector(d));
      for (size_t i = 0; i < sentences; ++i)
        for (size_t k = 0; k < d; ++k)
          forward[i][k] =
              z[i][k] * reduced[i][k] + (1 - z[i][k]) * (i == 0 ? 0 : forward[i - 1][k]);
      for (size_t i = sentences; i-- > 0;)
        for (size_t k = 0; k < d; ++k)
          backward[i][k] = z[i][k] * reduced[i][k] +
                           (1 - z[i][k]) * (i + 1 == sentences ? 0 : backward[i + 1][k]);
      for (size_t i = 0; i < sentences; ++i) {
        double look = 0;
        for (size_t k = 0; k < d; ++k) {
          double kept = z[i][k];
          for (size_t newer = i + 1; newer < sentences; ++newer) kept *= 1 - z[newer][k];
          look += kept / double(d);
          q[i][k] = forward[i][k] + backward[i][k];
        }
        looks.push_back(look);
      }
    }
    Vector logits;
    for (size_t v = 0; v < vocabulary; ++v)
      logits.push_back(dense(n.answer, v, forward[sentences - 1]));
    return logits;
  }
};

}  // namespace

TEST_CASE("the reduction network keeps the promises of a layer") {
  for (const int64_t hops : {1, 2}) {
    const Example x;
    const LayerReport report =
        check_layer(network({.size = 3, .hops = hops}), x.story, x.question, x.mask);
    CHECK_MESSAGE(report.passed(), report.text());
  }
}

TEST_CASE("the reduction network is what its equations say, and so is where it looked") {
  const ReductionNetwork layer = network({.size = 4, .hops = 3});
  const Example x;
  const ReductionOutput output = layer(x.story, x.question, x.mask);
  const Tensor looks = contiguous(looks_of(output));
  CHECK(looks.shape() == Shape{2, 3, 3});
  const std::vector<std::vector<Words>> stories{{{4, 4}, {3, 2, 1}, {1, 2, 3}},
                                                {{0}, {5, 1, 6, 2}}};  // oldest first, unpadded
  const std::vector<Words> questions{{6, 1}, {2, 5, 0}};
  for (size_t row = 0; row < 2; ++row) {
    std::vector<double> looked;
    const Vector expected = Naive{layer}(stories[row], questions[row], looked);
    for (size_t v = 0; v < vocabulary; ++v)
      CHECK(at(output.logits, row, v) == doctest::Approx(expected[v]).epsilon(1e-5));
    const size_t sentences = stories[row].size();
    for (size_t i = 0; i < looked.size(); ++i) {
      const size_t newest_first = sentences - 1 - i % sentences;
      CHECK(looks.span<float>()[row * 9 + i / sentences * 3 + newest_first] ==
            doctest::Approx(looked[i]).epsilon(1e-5));
    }
  }
}

TEST_CASE("the order of sentences counts for a reduction network, and no story is too long") {
  const ReductionNetwork layer = network({.size = 4, .hops = 2});
  const Bags question = bags({{5}}, {1, vocabulary});
  const auto logits = [&](const std::vector<Words>& story) {
    return layer(bags(story, {1, std::ssize(story), vocabulary}), question)
        .logits.to_vector<float>();
  };
  CHECK(logits({{1, 2}, {3, 4}}) != logits({{3, 4}, {1, 2}}));
  CHECK(logits(std::vector<Words>(300, {1, 2})).size() == vocabulary);
}

TEST_CASE("a reduction network begins with gates that keep what was found") {
  Generator generator(1);
  const ReductionNetwork fresh(vocabulary, {.size = 8, .hops = 1}, generator);
  const Example x;
  const Tensor gates = fresh(x.story, x.question).gates[0];
  CHECK(max(gates).item() < 0.2);
  CHECK_THROWS_WITH_AS(ReductionNetwork(3, {.hops = 0}, generator),
                       doctest::Contains("hops of at least 1, got 3, 48, 0"), Error);
}
