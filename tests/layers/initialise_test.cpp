#include "tests/layers/layer_check.h"

using namespace gradus;

namespace {

struct Statistics {
  double mean, deviation, largest;
};

Statistics statistics(const Tensor& x) {
  const Tensor values = cast(x.detach(), DType::float64);
  return {mean(values).item(), stddev(values).item(), max(abs(values)).item()};
}

/// Uniform in ±bound: nothing beyond, close to it at the edge, with deviation bound / √3.
void check_uniform(const Tensor& x, double bound) {
  const Statistics s = statistics(x);
  CHECK(s.largest <= bound);
  CHECK(s.largest > 0.99 * bound);
  CHECK(std::abs(s.mean) < 0.02 * bound);
  CHECK(s.deviation == doctest::Approx(bound / std::sqrt(3)).epsilon(0.02));
}

void check_normal(const Tensor& x, double deviation) {
  const Statistics s = statistics(x);
  CHECK(std::abs(s.mean) < 0.02 * deviation);
  CHECK(s.deviation == doctest::Approx(deviation).epsilon(0.02));
  CHECK(s.largest > 3 * deviation);  // a uniform distribution ends at √3
}

}  // namespace

TEST_CASE("initialisers draw from the distribution of their formula") {
  Generator generator(11);
  check_uniform(uniform({200, 100}, 0.3, generator), 0.3);
  check_uniform(xavier_uniform({200, 100}, generator), std::sqrt(6.0 / 300));
  check_uniform(xavier_uniform({50, 40, 10}, generator, 2), 2 * std::sqrt(6.0 / 900));
  check_normal(xavier_normal({200, 100}, generator), std::sqrt(2.0 / 300));
  check_normal(xavier_normal({200, 100}, generator, 3), 3 * std::sqrt(2.0 / 300));
  check_uniform(kaiming_uniform({200, 100}, generator), std::sqrt(6.0 / 100));
  check_uniform(kaiming_uniform({200, 100}, generator, 1), std::sqrt(3.0 / 100));
}

TEST_CASE("layers start with PyTorch's distributions") {
  Generator generator(12);
  const Dense dense(400, 100, generator);
  check_uniform(dense.weight, 1 / 20.0);
  check_uniform(Dense(4, 20'000, generator).bias, 1 / 2.0);
  const LSTMCell cell(40, 100, generator);
  check_uniform(cell.weight_ih, 1 / 10.0);
  check_uniform(cell.weight_hh, 1 / 10.0);
  CHECK(statistics(cell.bias).largest <= 0.1);
  check_normal(Embedding(200, 100, generator).weight, 1);
  const Tensor padded = Embedding(200, 100, generator, 7).weight.detach();
  CHECK(max(abs(padded[7])).item() == 0);
  CHECK(sum(equal(max(abs(padded), {1}), 0)).item() == 1);
  const Attention attention(Score::additive, 100, 400, generator, {.additive_size = 64});
  check_uniform(attention.query->weight, 1 / 10.0);
  check_uniform(attention.key->weight, 1 / 20.0);
  CHECK(statistics(attention.v).largest <= 1 / 8.0);
  CHECK_FALSE(attention.query->bias.defined());
}

TEST_CASE("an orthogonal matrix has orthonormal rows, or columns where they are fewer") {
  Generator generator(13);
  for (const Shape& shape : {Shape{20, 50}, Shape{50, 20}, Shape{30, 30}, Shape{6, 4, 5}}) {
    CAPTURE(shape.text());
    const Tensor q = reshape(orthogonal(shape, generator, 3), {shape[0], -1});
    const bool wide = q.size(0) <= q.size(1);
    const Tensor product = (wide ? matmul(q, transpose(q)) : matmul(transpose(q), q)) / 9;
    const Tensor identity = one_hot(cast(arange(product.size(0)), DType::int64), product.size(0));
    CHECK(max(abs(product - identity)).item() < 1e-6);
  }
}

TEST_CASE("equal seeds give equal parameters, other seeds others") {
  auto weights = [](uint64_t seed) {
    Generator generator(seed);
    LSTM lstm(3, 2, generator);
    return testing::joined(parameters(lstm)).to_vector<float>();
  };
  CHECK(weights(1) == weights(1));
  CHECK_FALSE(weights(1) == weights(2));
}

TEST_CASE("initialisers by fan expect a weight of two axes") {
  Generator generator(1);
  CHECK_THROWS_WITH_AS(xavier_uniform({3}, generator),
                       "xavier_uniform: expected the shape (out, in, …) of a weight, got (3)",
                       Error);
  CHECK_THROWS_WITH_AS(orthogonal({3}, generator),
                       "orthogonal: expected the shape (out, in, …) of a weight, got (3)", Error);
}
