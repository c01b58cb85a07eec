#include "tests/layers/layer_check.h"

using namespace gradus;

TEST_CASE("layers say what they expected, by which parameter, what they got and where") {
  Generator generator(1);

  SUBCASE("dense") {
    const Dense dense(3, 2, generator);
    CHECK_THROWS_WITH_AS(
        dense(ones({4, 2})),
        "dense: expected x of shape (…, 3) for a weight (2, 3), got (4, 2), in Dense", Error);
    CHECK_THROWS_WITH_AS(dense(ones({})),
                         "dense: expected x of shape (…, 3) for a weight (2, 3), got (), in Dense",
                         Error);
    CHECK_THROWS_AS(dense(ones({4, 3}, DType::float64)), Error);
    CHECK(dense(ones({3})).shape() == Shape{2});
  }
  SUBCASE("embedding") {
    const Embedding embedding(5, 3, generator);
    CHECK_THROWS_WITH_AS(embedding(tensor(std::vector<int64_t>{1, 5}, {2})),
                         "gather: expected indices in [0, 5), got 5, in Embedding", Error);
    CHECK_THROWS_WITH_AS(embedding(ones({2})),
                         "gather: expected int64 indices, got float32 (2), in Embedding", Error);
    CHECK_THROWS_WITH_AS(Embedding(5, 3, generator, 5),
                         "embedding: expected a padding id in [0, 5), or -1 for none, got 5",
                         Error);
  }
  SUBCASE("layer norm") {
    CHECK_THROWS_WITH_AS(
        LayerNorm(4)(ones({2, 3})),
        "layer_norm: of (2, 3) expected weight and bias of shape (3), got (4), in LayerNorm",
        Error);
  }
  SUBCASE("dropout") {
    CHECK_THROWS_WITH_AS(Dropout{1}(ones({2}), &generator),
                         "dropout: expected a rate in [0, 1), got 1", Error);
  }
  SUBCASE("lstm cell") {
    const LSTMCell cell(3, 2, generator);
    const LSTMState state = cell.initial(4);
    CHECK_THROWS_WITH_AS(
        cell(ones({4, 2}), state),
        "lstm: expected x of shape (…, 3) for a weight (8, 3), got (4, 2), in LSTMCell", Error);
    CHECK_THROWS_WITH_AS(
        cell(ones({4, 1, 3}), state),
        "lstm: expected x of shape (batch, 3) for a cell, got (4, 1, 3), in LSTMCell", Error);
    CHECK_THROWS_WITH_AS(
        cell(ones({5, 3}), state),
        "lstm: expected a state h of shape (5, 2) for weights (8, 3) and (8, 2), got "
        "(4, 2), in LSTMCell",
        Error);
    CHECK_THROWS_WITH_AS(
        cell(ones({4, 3}), {state.h, zeros({4, 3})}),
        "lstm: expected a state c of shape (4, 2) for weights (8, 3) and (8, 2), got "
        "(4, 3), in LSTMCell",
        Error);
    CHECK_THROWS_WITH_AS(
        cell.step(ones({4, 6}), state),
        "lstm: expected projected of shape (batch, 8) for a weight (8, 2), got (4, 6), "
        "in LSTMCell",
        Error);
  }
  SUBCASE("lstm") {
    LSTM lstm(3, 2, generator, {.layers = 2});
    parameters(lstm);
    const Mask two = Mask::lengths(std::vector<int64_t>{1, 2}, 5),
               fine = Mask::lengths(std::vector<int64_t>{1, 2, 5}, 5);
    const Tensor x = ones({3, 5, 3}), zero = zeros({3, 2});
    CHECK_THROWS_WITH_AS(lstm(ones({3, 5, 4})),
                         "lstm: expected x of shape (batch, time, 3) for a weight (8, 3) "
                         "'forward.0.weight_ih', got (3, 5, 4), in LSTM",
                         Error);
    CHECK_THROWS_WITH_AS(lstm(ones({5, 3})),
                         "lstm: expected x of shape (batch, time, 3) for a weight (8, 3) "
                         "'forward.0.weight_ih', got (5, 3), in LSTM",
                         Error);
    CHECK_THROWS_WITH_AS(lstm(x, two),
                         "lstm: expected a mask of (batch, time) (3, 5), got (2, 5), x is "
                         "(3, 5, 3), in LSTM",
                         Error);
    CHECK_THROWS_WITH_AS(
        lstm(x, {{zero, zero}}, fine),
        "lstm: expected 2 initial states, one for each layer and direction, got 1, "
        "in LSTM",
        Error);
    CHECK_THROWS_WITH_AS(lstm(x, {{zero, zero}, {zero, zeros({2, 2})}}, fine),
                         "lstm: expected a state c of shape (3, 2) for weights (8, 3) "
                         "'forward.0.weight_ih' and (8, 2) 'forward.0.weight_hh', got (2, 2), in "
                         "LSTM",
                         Error);
    CHECK_THROWS_WITH_AS(LSTM(3, 2, generator, {.layers = 0}),
                         "lstm: expected at least 1 layer, got 0", Error);
  }
  SUBCASE("attention") {
    Attention attention(Score::general, 3, 4, generator);
    parameters(attention);
    const Tensor q = ones({2, 1, 3}), k = ones({2, 5, 4}), v = ones({2, 5, 6});
    CHECK_THROWS_WITH_AS(
        Attention(Score::dot, 3, 4, generator),
        "attention: expected queries and keys of one size for a dot score, got 3 and "
        "4",
        Error);
    CHECK_THROWS_WITH_AS(Attention(Score::dot, 3, 3, generator)(q, k, v),
                         "attention: expected keys of shape (…, …, 3), got (2, 5, 4), in Attention",
                         Error);
    CHECK_THROWS_WITH_AS(
        attention(ones({2, 3}), k, v),
        "attention: expected queries of shape (…, …, 3) for a weight (3, 4) 'key.weight', got "
        "(2, 3), in Attention",
        Error);
    CHECK_THROWS_WITH_AS(
        attention(q, ones({2, 5, 3}), v),
        "attention: expected keys of shape (…, …, 4) for a weight (3, 4) 'key.weight', got "
        "(2, 5, 3), in Attention",
        Error);
    CHECK_THROWS_WITH_AS(
        attention(q, k, ones({3, 5, 6})),
        "attention: expected values of shape (2, 5, …), got (3, 5, 6), in Attention", Error);
    CHECK_THROWS_WITH_AS(
        attention(q, k, ones({2, 4, 6})),
        "attention: expected values of shape (2, 5, …), got (2, 4, 6), in Attention", Error);
    CHECK_THROWS_WITH_AS(attention.attend(q, {k, v}),
                         "attention: expected prepared keys of shape (2, 5, 3) for a weight (3, 4) "
                         "'key.weight', got (2, 5, 4), in Attention",
                         Error);
    const std::string mask_error =
        "attention: expected a mask of (batch, time) (2, 5), (queries, keys) (1, 5) or (batch, "
        "queries, keys) (2, 1, 5), got ";
    for (const Shape& shape : {Shape{2, 4}, Shape{3, 5}, Shape{5}, Shape{2, 2, 5}, Shape{}})
      CHECK_THROWS_WITH_AS(attention(q, k, v, Mask::attend(ones(shape))),
                           (mask_error + shape.text() + ", in Attention").c_str(), Error);
    CHECK(attention(q, k, v, Mask::attend(ones({2, 1, 5}))).output.shape() == Shape{2, 1, 6});
    CHECK(attention(ones({2, 5, 3}), k, v, Mask::causal(5, 5)).weights.shape() == Shape{2, 5, 5});
  }
}

TEST_CASE("layers take a size of 0 and refuse a negative one") {
  Generator generator(2);
  const Dense dense(0, 2, generator);
  CHECK(dense(ones({3, 0})).to_vector<float>() == std::vector<float>(6, 0));
  CHECK(Dense(2, 0, generator)(ones({3, 2})).shape() == Shape{3, 0});
  CHECK(Embedding(3, 0, generator)(zeros({2}, DType::int64)).shape() == Shape{2, 0});
  CHECK(LayerNorm(0)(ones({3, 0})).shape() == Shape{3, 0});
  CHECK(LSTM(0, 2, generator)(ones({3, 4, 0})).output.shape() == Shape{3, 4, 2});
  CHECK_THROWS_WITH_AS(Dense(-1, 2, generator), "dense: expected sizes of at least 0, got -1 and 2",
                       Error);
  CHECK_THROWS_WITH_AS(Embedding(2, -3, generator),
                       "embedding: expected sizes of at least 0, got 2 and -3", Error);
  CHECK_THROWS_WITH_AS(Embedding(2, 3, generator, -2),
                       "embedding: expected a padding id in [0, 2), or -1 for none, got -2", Error);
  CHECK_THROWS_WITH_AS(LayerNorm(-1), "layer_norm: expected a size of at least 0, got -1", Error);
  CHECK_THROWS_WITH_AS(GRU(2, 0, generator),
                       "gru: expected an input size of at least 0 and a hidden size of at least 1, "
                       "got 2 and 0",
                       Error);
}
