#include "layers/transformer/transformer.h"

#include <cmath>

#include "tests/layers/layer_check.h"

using namespace gradus;
using namespace gradus::testing;

TEST_CASE("sinusoidal positions are sines and cosines of falling frequency, from any position on") {
  for (const int64_t size : {6, 5}) {
    const Tensor all = sinusoidal_positions(50, size, 0, DType::float64);
    for (int64_t p : {0, 1, 7, 49})
      for (int64_t n = 0; n < size; ++n) {
        const double angle =
            static_cast<double>(p) / std::pow(10000, static_cast<double>(n / 2 * 2) / size);
        CHECK(all.to_vector<double>()[static_cast<size_t>(p * size + n)] ==
              doctest::Approx(n % 2 == 0 ? std::sin(angle) : std::cos(angle)));
      }
    CHECK(slice(all, 0, 30, 50).to_vector<double>() ==
          sinusoidal_positions(20, size, 30, DType::float64).to_vector<double>());
  }
}

TEST_CASE("a decoder layer gives a step at a time, from its cache, what it gives at once") {
  Generator generator(2);
  const Tensor x = random_normal({2, 5, 8}, 0, 1, generator);
  const Tensor encoded = random_normal({2, 4, 8}, 0, 1, generator);
  const Mask mask = Mask::lengths(std::vector<int64_t>{4, 2}, 4);
  for (const bool norm_first : {true, false}) {
    const TransformerDecoderLayer layer(8, 2, generator, {.norm_first = norm_first});
    const KeyValues memory = layer.cross.prepare(encoded, encoded);
    const Tensor whole =
        layer(x, layer.prepare(x), Mask::causal(5, 5).unsqueeze(0), memory, mask).output;
    KeyValues past;
    for (int64_t t = 0; t < 5; ++t) {
      const Tensor newest = slice(x, 1, t, t + 1);
      past = t == 0 ? layer.prepare(newest) : past + layer.prepare(newest);
      const Tensor step = layer(newest, past, {}, memory, mask).output;
      CHECK(max(abs(step - slice(whole, 1, t, t + 1))).item() < 1e-5);
    }
  }
}

TEST_CASE("a decoder layer's derivatives, in all that it sees, match finite differences") {
  Generator generator(3);
  const Mask mask = Mask::attend(tensor({{1, 0, 1}, {0, 0, 0}}), Mask::batch_time);
  for (const bool norm_first : {true, false}) {
    TransformerDecoderLayer layer = as_float64(
        TransformerDecoderLayer(4, 2, generator, {.feed_forward = 3, .norm_first = norm_first}));
    check_gradients(layer, {irregular({2, 2, 4}, 1), irregular({2, 3, 4}, 2)},
                    [&](const std::vector<Tensor>& x) {
                      const AttentionOutput y =
                          layer(x[0], layer.prepare(x[0]), Mask::causal(2, 2).unsqueeze(0),
                                layer.cross.prepare(x[1], x[1]), mask);
                      return joined({y.output, y.weights});
                    });
  }
}

TEST_CASE("an encoder layer gives a long sentence what it gives to a short one beside padding") {
  Generator generator(5);
  const TransformerEncoderLayer layer(8, 2, generator);
  const Tensor x = random_normal({1, 600, 8}, 0, 1, generator);
  const Tensor in_tiles = layer(x, Mask::lengths(std::vector<int64_t>{500}, 600));
  CHECK(max(abs(slice(in_tiles, 1, 0, 500) - layer(slice(x, 1, 0, 500)))).item() < 1e-5);
}

TEST_CASE("a Transformer's dropout goes by its generator alone, and is off without one") {
  Generator generator(4), a(1), b(1), c(2);
  const TransformerEncoderLayer layer(8, 2, generator, {.dropout = 0.2});
  const Tensor x = random_normal({2, 5, 8}, 0, 1, generator);
  const auto plain = layer(x).to_vector<float>(), dropped = layer(x, {}, &a).to_vector<float>();
  CHECK(layer(x).to_vector<float>() == plain);
  CHECK(layer(x, {}, &b).to_vector<float>() == dropped);
  CHECK(layer(x, {}, &c).to_vector<float>() != dropped);
  CHECK(plain != dropped);
}
