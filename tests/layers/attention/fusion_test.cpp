#include "layers/attention/fusion.h"

#include "layers/attention/coverage.h"
#include "tests/core/helpers.h"
#include "tests/layers/layer_check.h"

using namespace gradus;
using namespace gradus::testing;
using Inputs = const std::vector<Tensor>&;

TEST_CASE("a fusion is its equations: cross-attention to each modality, then gated or joined") {
  Generator generator(1);
  const Tensor x = irregular({2, 3, 4}, 1), image = irregular({2, 5, 6}, 2),
               sound = irregular({2, 7, 2}, 3);
  const Mask patches = Mask::lengths(std::vector<int64_t>{5, 2}, 5);
  for (const Join join : {Join::gated, Join::concatenated}) {
    const Fusion fusion = as_float64(Fusion(join, 4, {6, 2}, 2, generator));
    const FusionOutput y = fusion({x}, {{image, patches}, {sound}});
    const Tensor a = fusion.attention[0](x, image, image, patches).output;
    const Tensor b = fusion.attention[1](x, sound, sound).output;
    Tensor expected;
    if (join == Join::gated) {
      auto gate = [&](size_t m, const Tensor& c) {
        const Tensor joined = concat({x, c}, 2);
        return 1 / (1 + exp(-(matmul(joined, transpose(fusion.gates[m].weight)) +
                              fusion.gates[m].bias)));
      };
      expected = x + gate(0, a) * a + gate(1, b) * b;
    } else {
      expected = (*fusion.combine)(concat({x, a, b}, 2));
    }
    CHECK(max(abs(y.output - expected)).item() < 1e-13);
    CHECK(y.weights[0].shape() == Shape{2, 2, 3, 5});
    CHECK(y.weights[1].shape() == Shape{2, 2, 3, 7});
  }
}

TEST_CASE("modalities encoded on their own look at each other") {
  Generator generator(2);
  const LSTM words(3, 4, generator);
  const Dense patches(7, 6, generator);
  const std::vector<int64_t> lengths{5, 3};
  const Modality text{
      words(random_normal({2, 5, 3}, 0, 1, generator), Mask::lengths(lengths, 5)).output,
      Mask::lengths(lengths, 5)};
  const Modality image{relu(patches(random_normal({2, 9, 7}, 0, 1, generator)))};
  const Fusion read(Join::gated, 4, {6}, 2, generator),
      seen(Join::concatenated, 6, {4}, 3, generator);
  const FusionOutput a = read(text, {image}), b = seen(image, {text});
  CHECK(a.output.shape() == Shape{2, 5, 4});
  CHECK(b.output.shape() == Shape{2, 9, 6});
  // Padding gives zeros, and is not looked at.
  CHECK(max(abs(slice(slice(a.output, 0, 1, 2), 1, 3, 5))).item() == 0);
  CHECK(max(abs(slice(slice(b.weights[0], 0, 1, 2), 3, 3, 5))).item() == 0);
}

TEST_CASE("a modality that is all ignored adds nothing and gets no gradient") {
  Generator generator(3);
  const Tensor x = random_normal({2, 3, 4}, 0, 1, generator).require_grad();
  const Tensor image = random_normal({2, 5, 6}, 0, 1, generator).require_grad();
  const Mask first_only = Mask::lengths(std::vector<int64_t>{5, 0}, 5);
  const Fusion fusion(Join::gated, 4, {6}, 2, generator);
  const Tensor y = fusion({x}, {{image, first_only}}).output;
  CHECK(max(abs(slice(y - x, 0, 1, 2))).item() == 0);
  CHECK(max(abs(slice(y - x, 0, 0, 1))).item() > 0);
  const Tensor g = grad({sum(y * y)}, {image})[0];
  CHECK(max(abs(slice(g, 0, 1, 2))).item() == 0);
  CHECK(max(abs(slice(g, 0, 0, 1))).item() > 0);
}

TEST_CASE("coverage adds to each key what was looked at so far, step by step") {
  Generator generator(4);
  const Attention attention = as_float64(Attention(Score::additive, 3, 3, generator));
  const Coverage coverage = as_float64(Coverage(3, generator));
  const Tensor keys = irregular({2, 4, 3}, 1), queries = irregular({2, 3, 3}, 2);
  const Mask mask = Mask::lengths(std::vector<int64_t>{4, 2}, 4);
  const KeyValues prepared = attention.prepare(keys, keys);
  Tensor covered = zeros({2, 4}, DType::float64);
  std::vector<double> sum_of_weights(8, 0.0);
  for (int64_t t = 0; t < 3; ++t) {
    const Tensor q = slice(queries, 1, t, t + 1);
    const AttentionOutput a = attention.attend(q, coverage(prepared, covered), mask);
    // vᵀ tanh(W_q q + W_k k + C u), and softmax over what the mask lets through
    const Tensor inside = (*attention.query)(q) + (*attention.key)(keys) +
                          tensor(sum_of_weights, {2, 4, 1}) * coverage.weight;
    const Tensor scores = sum(tanh(inside) * attention.v, {-1});
    CHECK(max(abs(squeeze(a.weights, 1) - softmax(scores, -1, mask))).item() < 1e-13);
    covered = covered + squeeze(a.weights, 1);
    const auto weights = a.weights.to_vector<double>();
    for (size_t i = 0; i < 8; ++i) sum_of_weights[i] += weights[i];
  }
  CHECK(sum(covered).item() == doctest::Approx(6));
}

TEST_CASE("derivatives of fusion and of coverage match finite differences") {
  Generator generator(5);
  const Mask mask = Mask::attend(tensor({{1, 0, 1}, {0, 0, 0}}), Mask::batch_time);
  for (const Join join : {Join::gated, Join::concatenated}) {
    Fusion fusion = as_float64(Fusion(join, 2, {3, 2}, 1, generator));
    check_gradients(fusion,
                    {irregular({2, 2, 2}, 1), irregular({2, 3, 3}, 2), irregular({2, 2, 2}, 3)},
                    [&](Inputs x) {
                      const FusionOutput y = fusion({x[0]}, {{x[1], mask}, {x[2]}});
                      return joined({y.output, y.weights[0], y.weights[1]});
                    });
  }
  const Attention attention = as_float64(Attention(Score::additive, 2, 2, generator));
  Coverage coverage = as_float64(Coverage(2, generator));
  check_gradients(
      coverage, {irregular({2, 2, 2}, 1), irregular({2, 3, 2}, 2), irregular({2, 3}, 3)},
      [&](Inputs x) {
        const KeyValues prepared = attention.prepare(x[1], x[1]);
        const AttentionOutput a = attention.attend(x[0], coverage(prepared, x[2]), mask);
        return joined({a.output, a.weights});
      });
}

TEST_CASE("fusion and coverage say what they expected and what they got") {
  Generator generator(6);
  CHECK(error_of([&] { Fusion(Join::gated, 4, {}, 2, generator); }) ==
        "fusion: expected at least one other modality, got none");
  const Fusion fusion(Join::gated, 4, {6}, 2, generator);
  const Tensor x = ones({2, 3, 4}), image = ones({2, 5, 6});
  CHECK(error_of([&] { fusion({x}, {}); }) ==
        "fusion: expected 1 other modalities, got 0, in Fusion");
  CHECK(error_of([&] {
          fusion({x}, {{ones({2, 5, 7})}});
        }).find("got (2, 5, 7), in MultiHeadAttention, in Fusion") != std::string::npos);
  CHECK(error_of([&] {
          fusion({x}, {{image, Mask::attend(ones({2, 4}), Mask::batch_time)}});
        }).find("got (2, 4) of (batch, time)") != std::string::npos);
  const Coverage coverage(3, generator);
  const Tensor keys = ones({2, 4, 3});
  CHECK(error_of([&] {
          coverage({keys, keys}, ones({2, 5}));
        }) ==
        "coverage: expected a coverage of shape (2, 4) for keys (2, 4, 3), got (2, 5), in "
        "Coverage");
  CHECK(error_of([&] {
          coverage({x, x}, ones({2, 3}));
        }) ==
        "coverage: expected keys of shape (batch, …, keys, 3) for a weight (3), got (2, 3, 4), in "
        "Coverage");
}
