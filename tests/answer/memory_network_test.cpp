#include "examples/answer/memory_network.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "layers/check/check.h"
#include "tests/answer/bags.h"

using namespace gradus;
using namespace gradus::answer;

namespace {

MemoryNetwork network(const MemoryOptions& options) {
  Generator generator(3);
  return redrawn(MemoryNetwork(vocabulary, options, generator));
}

/// The paper's equations, word by word and number by number.
struct Naive {
  const MemoryNetwork& n;
  size_t d = static_cast<size_t>(n.options.size);

  Vector encode(const Words& words, const Tensor& A) const {
    return encoded(words, A, n.options.position);
  }
  /// The logits; the weights of the hops are appended to `p`.
  Vector operator()(const std::vector<Words>& story, const Words& question,
                    std::vector<double>& p) const {
    const bool adjacent = n.options.tying == Tying::adjacent;
    Vector u = encode(question, adjacent ? n.words[0] : n.B);
    for (size_t hop = 0; hop < size_t(n.options.hops); ++hop) {
      const size_t A = adjacent ? hop : 0, C = adjacent ? hop + 1 : 1;
      Vector weights, o(d);
      for (size_t i = 0; i < story.size(); ++i) {
        const Vector m = encode(story[i], n.words[A]);
        double score = 0;
        for (size_t k = 0; k < d; ++k) score += u[k] * (m[k] + at(n.times[A], i, k));
        weights.push_back(n.linear ? score : std::exp(score));
      }
      const double total = n.linear ? 1 : std::accumulate(weights.begin(), weights.end(), 0.0);
      for (size_t i = 0; i < story.size(); ++i) {
        const Vector c = encode(story[i], n.words[C]);
        for (size_t k = 0; k < d; ++k) o[k] += weights[i] / total * (c[k] + at(n.times[C], i, k));
        p.push_back(weights[i] / total);
      }
      Vector next = o;
      for (size_t k = 0; k < d; ++k)
        if (adjacent)
          next[k] += u[k];
        else
          for (size_t r = 0; r < d; ++r) next[k] += at(n.H, k, r) * u[r];
      u = next;
    }
    Vector logits(vocabulary);
    for (size_t v = 0; v < logits.size(); ++v)
      for (size_t k = 0; k < d; ++k)
        logits[v] += u[k] * (adjacent ? at(n.words.back(), k, v) : at(n.W, v, k));
    return logits;
  }
};

const std::vector<MemoryOptions> variants{
    {.size = 4, .hops = 3, .memory = 6},
    {.size = 4, .hops = 2, .memory = 6, .position = false},
    {.size = 3, .hops = 3, .memory = 6, .tying = Tying::layer_wise}};

}  // namespace

TEST_CASE("the memory network keeps the promises of a layer, in a linear start too") {
  for (const MemoryOptions& options : variants)
    for (const bool linear : {false, true}) {
      MemoryNetwork layer = network(options);
      layer.linear = linear;
      Example x;
      const LayerReport report = check_layer(layer, x.story, x.question, x.mask);
      CHECK_MESSAGE(report.passed(), report.text());
    }
}

TEST_CASE("the memory network is what its equations say") {
  const std::vector<Words> story{{1, 2, 3}, {3, 2, 1}, {4, 4}};
  for (const MemoryOptions& options : variants)
    for (const bool linear : {false, true}) {
      MemoryNetwork layer = network(options);
      layer.linear = linear;
      const Example x;
      const MemoryOutput output = layer(x.story, x.question, x.mask);
      std::vector<double> weights;
      const Vector expected = Naive{layer}(story, {6, 1}, weights);
      for (size_t v = 0; v < expected.size(); ++v)
        CHECK(output.logits.span<float>()[v] == doctest::Approx(expected[v]).epsilon(1e-5));
      for (size_t i = 0; i < weights.size(); ++i)
        CHECK(contiguous(output.weights).span<float>()[i] ==
              doctest::Approx(weights[i]).epsilon(1e-5));
    }
}

TEST_CASE("adjacent and layer-wise weights have the parameters of the paper") {
  // Adjacent: K + 1 matrices of words, and as many of times. Layer-wise: A, B, C, W; two T; H.
  MemoryNetwork adjacent = network(variants[0]), layer_wise = network(variants[2]);
  CHECK(parameter_count(adjacent) == 4 * (4 * vocabulary + 6 * 4));
  CHECK(parameter_count(layer_wise) == 4 * 3 * vocabulary + 2 * 6 * 3 + 3 * 3);
}

TEST_CASE("the order of words counts with position encoding, and not without it") {
  const Bags question = bags({{5}}, {1, vocabulary});
  for (const bool position : {true, false}) {
    MemoryNetwork layer = network({.size = 4, .memory = 2, .position = position});
    const auto logits = [&](const Words& words) {
      return layer(bags({words}, {1, 1, vocabulary}), question).logits.to_vector<float>();
    };
    CHECK((logits({1, 2}) == logits({2, 1})) == !position);
  }
}

TEST_CASE("the newest sentences are remembered, as many as the memory holds") {
  const Example x;
  const MemoryNetwork layer = network({.size = 4, .memory = 2});
  const Bags newest = bags({{1, 2, 3}, {3, 2, 1}, {5, 1, 6, 2}, {0}}, {2, 2, vocabulary});
  const MemoryOutput output = layer(x.story, x.question, x.mask);
  CHECK(output.logits.to_vector<float>() == layer(newest, x.question).logits.to_vector<float>());
  CHECK(output.weights.shape() == Shape{2, 3, 2});
}

TEST_CASE("sizes below 1 are errors of a memory network") {
  Generator generator(1);
  CHECK_THROWS_AS(MemoryNetwork(0, {}, generator), Error);
  CHECK_THROWS_AS(MemoryNetwork(3, {.hops = 0}, generator), Error);
}
