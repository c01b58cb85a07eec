#include "tests/layers/layer_check.h"

using namespace gradus;
using namespace gradus::testing;

namespace {
using Inputs = const std::vector<Tensor>&;
}

TEST_CASE("a layer's first and second derivatives match finite differences") {
  Generator generator(7);
  const std::vector<int64_t> lengths{2, 3, 0};

  SUBCASE("dense") {
    Dense dense = as_float64(Dense(3, 2, generator));
    check_gradients(dense, {irregular({2, 2, 3}, 1)}, [&](Inputs x) { return dense(x[0]); });
  }
  SUBCASE("embedding, but for the padding's vector") {
    Embedding embedding = as_float64(Embedding(5, 3, generator, 2));
    const Tensor ids = tensor(std::vector<int64_t>{1, 2, 4, 1}, {2, 2});
    check_gradients(embedding, {irregular({3}, 1)},
                    [&](Inputs x) { return embedding(ids) * x[0]; });
  }
  SUBCASE("layer norm") {
    LayerNorm norm = as_float64(LayerNorm(4));
    check_gradients(norm, {irregular({2, 3, 4}, 1)}, [&](Inputs x) { return norm(x[0]); });
  }
  SUBCASE("lstm cell") {
    LSTMCell cell = as_float64(LSTMCell(3, 2, generator));
    check_gradients(cell, {irregular({2, 3}, 1), irregular({2, 2}, 2), irregular({2, 2}, 3)},
                    [&](Inputs x) {
                      const LSTMState next = cell(x[0], {x[1], x[2]});
                      return joined({next.h, next.c});
                    });
  }
  SUBCASE("lstm over rows of different lengths") {
    LSTM lstm = as_float64(LSTM(2, 2, generator));
    check_gradients(lstm, {irregular({3, 4, 2}, 1), irregular({3, 2}, 2), irregular({3, 2}, 3)},
                    [&](Inputs x) {
                      return joined(all_tensors(lstm(x[0], lengths, {{x[1], x[2]}})));
                    });
  }
  SUBCASE("lstm of two layers and two directions") {
    LSTM lstm = as_float64(LSTM(2, 1, generator, {.layers = 2, .bidirectional = true}));
    check_gradients(lstm, {irregular({3, 3, 2}, 1)},
                    [&](Inputs x) { return joined(all_tensors(lstm(x[0], lengths))); });
  }
  SUBCASE("attention with every score, one query's keys all ignored") {
    const Mask mask = Mask::attend(tensor({{1, 0, 1, 0}, {0, 0, 0, 0}}));
    for (const Score score : {Score::dot, Score::scaled_dot, Score::general, Score::additive}) {
      CAPTURE(static_cast<int>(score));
      Attention attention = as_float64(Attention(score, 2, 2, generator, 3));
      check_gradients(attention,
                      {irregular({2, 2, 2}, 1), irregular({2, 4, 2}, 2), irregular({2, 4, 3}, 3)},
                      [&](Inputs x) {
                        const AttentionOutput a = attention(x[0], x[1], x[2], mask);
                        return joined({a.output, a.weights});
                      });
    }
  }
  SUBCASE("a sequential model") {
    Sequential model =
        as_float64(Sequential(LSTM(2, 3, generator), LayerNorm(3), gelu, Dense(3, 1, generator)));
    check_gradients(model, {irregular({3, 3, 2}, 1)},
                    [&](Inputs x) { return model(x[0], lengths); });
  }
}
