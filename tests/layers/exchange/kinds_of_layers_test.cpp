// The kind: a layer or an optimiser that people have in PyTorch or Keras cannot be said here.

#include <doctest/doctest.h>

#include <cmath>

#include "core/core.h"
#include "layers/exchange/exchange.h"
#include "layers/layers.h"
#include "optim/optimizer.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

std::vector<std::string> names_of(const NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  return max(abs(a.detach() - b.detach())).item();
}

Tensor some(const Shape& shape) {
  Generator generator(3);
  return random_normal(shape, 0, 1, generator);
}

/// One with biases that are 0 computes what one without biases does, and only that one's file has
/// them.
template <class Network>
void check_without_biases() {
  const RecurrentOptions bare{.layers = 2, .bidirectional = true, .bias = false};
  Generator generator(1), again(1);
  Network without(3, 4, generator, bare), with(3, 4, again, {.layers = 2, .bidirectional = true});
  for_each_parameter(with, [](const std::string& name, Tensor& parameter) {
    if (name.find("bias") != name.npos) parameter.assign(zeros(parameter.shape()));
  });
  CHECK(parameters(without).size() == 8);
  const Mask mask = Mask::lengths(std::vector<int64_t>{5, 2}, 5);
  for (const bool one_by_one : {false, true}) {
    const StepByStep switched(one_by_one);
    CHECK(largest_difference(without(some({2, 5, 3}), mask).output,
                             with(some({2, 5, 3}), mask).output) == 0);
  }
  sum(without(some({2, 5, 3})).output).backward();
  for (const Tensor& parameter : parameters(without)) CHECK(parameter.grad().defined());

  const NamedTensors torch = to_pytorch(without), keras = to_keras(without);
  CHECK(torch.size() == 8);
  CHECK(keras.size() == 8);
  for (const auto& [name, tensor] : torch) CHECK(name.find("bias") == name.npos);
  Network other(3, 4, generator, bare);
  load_pytorch(other, torch);
  CHECK(largest_difference(other(some({2, 5, 3})).output, without(some({2, 5, 3})).output) == 0);
  Network third(3, 4, generator, bare);
  load_keras(third, keras);
  CHECK(largest_difference(third(some({2, 5, 3})).output, without(some({2, 5, 3})).output) == 0);
}

/// The layers of torch.nn.Transformer, by its names.
struct Transformer {
  struct Encoder {
    std::vector<TransformerEncoderLayer> layers;
    LayerNorm norm;
    void parameters(auto&& visit) { visit("layers", layers), visit("norm", norm); }
  };
  struct Decoder {
    std::vector<TransformerDecoderLayer> layers;
    LayerNorm norm;
    void parameters(auto&& visit) { visit("layers", layers), visit("norm", norm); }
  };
  explicit Transformer(Generator& generator, const TransformerOptions& options = {})
      : encoder{{TransformerEncoderLayer(4, 2, generator, options)}, LayerNorm(4)},
        decoder{{TransformerDecoderLayer(4, 2, generator, options)}, LayerNorm(4)} {}
  void parameters(auto&& visit) { visit("encoder", encoder), visit("decoder", decoder); }

  Encoder encoder;
  Decoder decoder;
};

}  // namespace

TEST_CASE("an LSTM, a GRU and an RNN without biases") {
  check_without_biases<LSTM>();
  check_without_biases<GRU>();
  check_without_biases<RNN>();
}

TEST_CASE("a layer norm without parameters, without a bias, and over several axes") {
  const Tensor x = some({2, 3, 4});
  const auto by_hand = [&](const Axes& axes) {
    return (x - mean(x, axes, keepdims)) / sqrt(var(x, axes, keepdims, 0) + 1e-5);
  };
  LayerNorm bare({4}, {.weight = false, .bias = false}), scaled({4}, {.bias = false}),
      both({3, 4}, {}), bare_both({3, 4}, {.weight = false, .bias = false});
  CHECK(named_tensors(bare).empty());
  CHECK(names_of(named_tensors(scaled)) == std::vector<std::string>{"weight"});
  CHECK(named_tensors(both).at("weight").shape() == Shape{3, 4});
  CHECK(largest_difference(bare(x), by_hand({-1})) < 1e-6);
  CHECK(largest_difference(scaled(x), by_hand({-1})) < 1e-6);
  CHECK(largest_difference(bare_both(x), by_hand({-2, -1})) < 1e-6);
  both.weight.assign(some({3, 4}));
  both.bias.assign(full({3, 4}, 2));
  CHECK(largest_difference(both(x), by_hand({-2, -1}) * both.weight + 2) < 1e-5);
  CHECK(names_of(to_pytorch(both)) == std::vector<std::string>{"bias", "weight"});
  CHECK(names_of(to_keras(both)) == std::vector<std::string>{"beta", "gamma"});
  CHECK(error_of([&] {
          both(some({2, 4, 3}));
        }) == "layer_norm: expected x with the last axes (3, 4), got (2, 4, 3), in LayerNorm");
  CHECK(error_of([&] { both(some({4})); }) ==
        "layer_norm: expected x with the last axes (3, 4), got (4), in LayerNorm");
  CHECK(error_of([&] { bare(some({3})); }) ==
        "layer_norm: expected x with the last axes (4), got (3), in LayerNorm");
}

TEST_CASE("a Transformer has the names of torch.nn.Transformer, with biases and without") {
  Generator generator(1);
  Transformer model(generator);
  const NamedTensors weights = to_pytorch(model);
  std::vector<std::string> expected;
  for (const std::string part : {"encoder.", "decoder."}) {
    const bool is_decoder = part == "decoder.";
    for (const std::string end : {".bias", ".weight"}) {
      for (const std::string attention : {"self_attn", "multihead_attn"}) {
        if (!is_decoder && attention == "multihead_attn") continue;
        expected.push_back(part + "layers.0." + attention + ".out_proj" + end);
        expected.push_back(part + "layers.0." + attention + ".in_proj_" + end.substr(1));
      }
      for (const std::string linear : {"linear1", "linear2", "norm1", "norm2", "norm3"})
        if (is_decoder || linear != "norm3") expected.push_back(part + "layers.0." + linear + end);
      expected.push_back(part + "norm" + end);
    }
  }
  std::ranges::sort(expected);
  CHECK(names_of(weights) == expected);
  CHECK(weights.at("encoder.layers.0.linear1.weight").shape() == Shape{16, 4});
  Transformer other(generator);
  load_pytorch(other, weights);
  const Tensor x = some({2, 3, 4});
  CHECK(largest_difference(other.encoder.layers[0](x), model.encoder.layers[0](x)) == 0);

  Transformer bare(generator, {.bias = false});
  for (const auto& [name, tensor] : to_pytorch(bare))
    CHECK((name.find("bias") == name.npos || name.ends_with("coder.norm.bias")));
  bare.encoder.layers[0](x);
}

TEST_CASE("a feed-forward layer with another activation") {
  Generator generator(1);
  const Activation with_gelu = [](const Tensor& x) { return gelu(x); };
  const FeedForward layer(4, 6, generator, 0, with_gelu, {.bias = false});
  const Tensor x = some({2, 4});
  CHECK(largest_difference(layer(x), layer.outer(gelu(layer.inner(x)))) == 0);
  CHECK_FALSE(layer.inner.bias.defined());
  const TransformerEncoderLayer encoder(4, 2, generator, {.activation = with_gelu});
  CHECK(encoder.feed_forward.activation != nullptr);
}

TEST_CASE("RMSprop with momentum and centring, and AMSGrad, in float64 against their formulas") {
  const std::vector<double> gradients{1.5, -0.25, 0.125, 2, -3, 0.5};
  const auto run = [&](auto make) {
    Tensor p = full({1}, 0.75, DType::float64).require_grad();
    auto optimizer = make(std::vector<Tensor>{p});
    for (const double g : gradients) {
      optimizer.zero_grad();
      sum(p * g).backward();
      optimizer.step();
    }
    return p.item();
  };
  for (const bool centred : {false, true})
    for (const double momentum : {0.0, 0.8}) {
      double p = 0.75, v = 0, m = 0, w = 0;
      for (double g : gradients) {
        g += 0.1 * p;
        v = 0.9 * v + 0.1 * g * g;
        m = 0.9 * m + 0.1 * g;
        const double u = g / (std::sqrt(centred ? v - m * m : v) + 1e-3);
        w = momentum * w + u;
        p -= 0.01 * (momentum > 0 ? w : u);
      }
      CHECK(run([&](const auto& parameters) {
              return RMSprop(parameters, {.alpha = 0.9,
                                          .epsilon = 1e-3,
                                          .weight_decay = 0.1,
                                          .momentum = momentum,
                                          .centred = centred});
            }) == doctest::Approx(p).epsilon(1e-12));
    }
  for (const bool decoupled : {false, true}) {
    double p = 0.75, m = 0, v = 0, largest = 0, t = 0;
    for (double g : gradients) {
      if (decoupled) p *= 1 - 0.01 * 0.1;
      if (!decoupled) g += 0.1 * p;
      m = 0.9 * m + 0.1 * g;
      v = 0.5 * v + 0.5 * g * g;
      largest = std::max(largest, v);
      ++t;
      p -= 0.01 / (1 - std::pow(0.9, t)) * m /
           (std::sqrt(largest) / std::sqrt(1 - std::pow(0.5, t)) + 1e-8);
    }
    const double got = decoupled ? run([](const auto& parameters) {
      return AdamW(parameters,
                   {.learning_rate = 0.01, .beta2 = 0.5, .weight_decay = 0.1, .amsgrad = true});
    })
                                 : run([](const auto& parameters) {
                                     return Adam(parameters, {.learning_rate = 0.01,
                                                              .beta2 = 0.5,
                                                              .weight_decay = 0.1,
                                                              .amsgrad = true});
                                   });
    CHECK(got == doctest::Approx(p).epsilon(1e-12));
  }
  CHECK(error_of([] { RMSprop({ones({1}).require_grad()}, {.momentum = 1}); }) != "no error");
}

TEST_CASE("a correction may be a fraction") {
  const Tensor x = tensor({1.0, 2.0, 4.0});
  CHECK(var(x, {}, false, 0.5).item() == doctest::Approx((14.0 / 3) / 2.5));
}
