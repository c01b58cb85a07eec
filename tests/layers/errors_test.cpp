#include "tests/layers/layer_check.h"

using namespace gradus;

TEST_CASE("layers say what they want, by which parameter, and what they were given") {
  Generator generator(1);

  SUBCASE("dense") {
    const Dense dense(3, 2, generator);
    CHECK_THROWS_WITH_AS(dense(ones({4, 2})),
                         "dense: wants x (…, 3) for a weight (2, 3), was given (4, 2)", Error);
    CHECK_THROWS_WITH_AS(dense(ones({})), "dense: wants x (…, 3) for a weight (2, 3), was given ()",
                         Error);
    CHECK_THROWS_AS(dense(ones({4, 3}, DType::float64)), Error);
    CHECK(dense(ones({3})).shape() == Shape{2});
  }
  SUBCASE("embedding") {
    const Embedding embedding(5, 3, generator);
    CHECK_THROWS_WITH_AS(embedding(tensor(std::vector<int64_t>{1, 5}, {2})),
                         "gather: index 5 is outside [0, 5)", Error);
    CHECK_THROWS_WITH_AS(embedding(ones({2})), "gather: wants int64 indices, was given float32 (2)",
                         Error);
    CHECK_THROWS_WITH_AS(Embedding(5, 3, generator, 5), "embedding: padding id 5 is outside [0, 5)",
                         Error);
  }
  SUBCASE("layer norm") {
    CHECK_THROWS_WITH_AS(LayerNorm(4)(ones({2, 3})),
                         "layer_norm: (2, 3) wants weight and bias of (3), was given (4)", Error);
  }
  SUBCASE("dropout") {
    CHECK_THROWS_WITH_AS(Dropout{1}(ones({2}), &generator),
                         "dropout: wants a rate in [0, 1), was given 1", Error);
  }
  SUBCASE("lstm cell") {
    const LSTMCell cell(3, 2, generator);
    const LSTMState state = cell.initial(4);
    CHECK_THROWS_WITH_AS(cell(ones({4, 2}), state),
                         "lstm: wants x (…, 3) for a weight (8, 3), was given (4, 2)", Error);
    CHECK_THROWS_WITH_AS(cell(ones({4, 1, 3}), state),
                         "lstm: a cell wants x (batch, 3), was given (4, 1, 3)", Error);
    CHECK_THROWS_WITH_AS(cell(ones({5, 3}), state),
                         "lstm: wants a state h (5, 2) for weights (8, 3) and (8, 2), was given "
                         "(4, 2)",
                         Error);
    CHECK_THROWS_WITH_AS(cell(ones({4, 3}), {state.h, zeros({4, 3})}),
                         "lstm: wants a state c (4, 2) for weights (8, 3) and (8, 2), was given "
                         "(4, 3)",
                         Error);
    CHECK_THROWS_WITH_AS(cell.step(ones({4, 6}), state),
                         "lstm: wants projected (batch, 8) for a weight (8, 2), was given (4, 6)",
                         Error);
  }
  SUBCASE("lstm") {
    LSTM lstm(3, 2, generator, {.layers = 2});
    parameters(lstm);
    const std::vector<int64_t> two{1, 2}, too_long{1, 2, 6}, negative{1, -1, 2}, fine{1, 2, 5};
    const Tensor x = ones({3, 5, 3}), zero = zeros({3, 2});
    CHECK_THROWS_WITH_AS(lstm(ones({3, 5, 4})),
                         "lstm: wants x (batch, time, 3) for a weight (8, 3) "
                         "'forward.0.weight_ih', was given (3, 5, 4)",
                         Error);
    CHECK_THROWS_WITH_AS(lstm(ones({5, 3})),
                         "lstm: wants x (batch, time, 3) for a weight (8, 3) "
                         "'forward.0.weight_ih', was given (5, 3)",
                         Error);
    CHECK_THROWS_WITH_AS(lstm(x, two), "lstm: 2 lengths for a batch of 3, x is (3, 5, 3)", Error);
    CHECK_THROWS_WITH_AS(lstm(x, too_long),
                         "lstm: length 6 of row 2 is outside [0, 5], x is (3, 5, 3)", Error);
    CHECK_THROWS_WITH_AS(lstm(x, negative),
                         "lstm: length -1 of row 1 is outside [0, 5], x is (3, 5, 3)", Error);
    CHECK_THROWS_WITH_AS(lstm(x, fine, {{zero, zero}}),
                         "lstm: wants 2 initial states, one a layer and direction, was given 1",
                         Error);
    CHECK_THROWS_WITH_AS(lstm(x, fine, {{zero, zero}, {zero, zeros({2, 2})}}),
                         "lstm: wants a state c (3, 2) for weights (8, 3) 'forward.0.weight_ih' "
                         "and (8, 2) 'forward.0.weight_hh', was given (2, 2)",
                         Error);
    CHECK_THROWS_WITH_AS(LSTM(3, 2, generator, {.layers = 0}),
                         "lstm: wants at least one layer, was given 0", Error);
  }
  SUBCASE("attention") {
    Attention attention(Score::general, 3, 4, generator);
    parameters(attention);
    const Tensor q = ones({2, 1, 3}), k = ones({2, 5, 4}), v = ones({2, 5, 6});
    CHECK_THROWS_WITH_AS(Attention(Score::dot, 3, 4, generator),
                         "attention: a dot score wants queries and keys of one size, was given 3 "
                         "and 4",
                         Error);
    CHECK_THROWS_WITH_AS(Attention(Score::dot, 3, 3, generator)(q, k, v),
                         "attention: wants keys (…, …, 3), was given (2, 5, 4)", Error);
    CHECK_THROWS_WITH_AS(
        attention(ones({2, 3}), k, v),
        "attention: wants a query (…, …, 3) for a weight (3, 4) 'key.weight', was given (2, 3)",
        Error);
    CHECK_THROWS_WITH_AS(
        attention(q, ones({2, 5, 3}), v),
        "attention: wants keys (…, …, 4) for a weight (3, 4) 'key.weight', was given (2, 5, 3)",
        Error);
    CHECK_THROWS_WITH_AS(attention(q, k, ones({3, 5, 6})),
                         "attention: wants values (2, 5, …), was given (3, 5, 6)", Error);
    CHECK_THROWS_WITH_AS(attention(q, k, ones({2, 4, 6})),
                         "attention: wants values (2, 5, …), was given (2, 4, 6)", Error);
    CHECK_THROWS_WITH_AS(attention.attend(q, {k, v}),
                         "attention: wants prepared keys (2, 5, 3) for a weight (3, 4) "
                         "'key.weight', was given (2, 5, 4)",
                         Error);
    const std::string mask_error =
        "attention: wants a mask (batch, keys) (2, 5) or (batch, queries, keys) (2, 1, 5), was "
        "given ";
    for (const Shape& shape : {Shape{2, 4}, Shape{1, 5}, Shape{5}, Shape{2, 2, 5}, Shape{}})
      CHECK_THROWS_WITH_AS(attention(q, k, v, Mask::attend(ones(shape))),
                           (mask_error + shape.text()).c_str(), Error);
    CHECK(attention(q, k, v, Mask::attend(ones({2, 1, 5}))).output.shape() == Shape{2, 1, 6});
    CHECK(attention(ones({2, 5, 3}), k, v, Mask::causal(5, 5).unsqueeze(0)).weights.shape() ==
          Shape{2, 5, 5});
  }
}
