#include "layers/exchange/exchange.h"

#include <doctest/doctest.h>

#include "core/core.h"
#include "core/files/safetensors.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

/// The model of golden/make_exchange.py.
struct Tagger {
  explicit Tagger(Generator& generator)
      : words(7, 4, generator),
        encoder(4, 3, generator, {.layers = 2, .bidirectional = true}),
        attention(6, 2, generator),
        norm(6),
        tags(6, 5, generator) {}

  Tensor operator()(const Tensor& ids) const {
    const Tensor states = encoder(words(ids)).output;
    return tags(norm(states + attention(states, states, states).output));
  }
  void parameters(auto&& visit) {
    visit("words", words), visit("encoder", encoder), visit("attention", attention);
    visit("norm", norm), visit("tags", tags);
  }

  Embedding words;
  LSTM encoder;
  MultiHeadAttention attention;
  LayerNorm norm;
  Dense tags;
};

Tagger tagger(uint64_t seed) {
  Generator generator(seed);
  return Tagger(generator);
}

/// The recurrent model of golden/make_exchange.py.
struct Recurrent {
  explicit Recurrent(uint64_t seed) : Recurrent(Generator(seed)) {}
  explicit Recurrent(Generator generator)
      : gru(3, 4, generator, {.layers = 2, .bidirectional = true}),
        rnn(8, 5, generator, {}, RNNActivation::relu) {}

  Tensor operator()(const Tensor& x) const { return rnn(gru(x).output).output; }
  void parameters(auto&& visit) { visit("gru", gru), visit("rnn", rnn); }

  GRU gru;
  RNN rnn;
};

/// The model without biases of golden/make_exchange.py, with the names of torch.nn.Transformer.
struct WithoutBiases {
  template <class Layer>
  struct Stack {
    std::vector<Layer> layers;
    LayerNorm norm{{4}, {.bias = false}};
    void parameters(auto&& visit) { visit("layers", layers), visit("norm", norm); }
  };
  struct Transformer {
    Stack<TransformerEncoderLayer> encoder;
    Stack<TransformerDecoderLayer> decoder;
    void parameters(auto&& visit) { visit("encoder", encoder), visit("decoder", decoder); }
  };

  explicit WithoutBiases(Generator& generator)
      : encoder(3, 2, generator, {.layers = 2, .bidirectional = true, .bias = false}),
        plain({4}, {.weight = false, .bias = false}),
        over_two({5, 4}, {}) {
    const TransformerOptions options{
        .feed_forward = 6, .norm_first = false, .bias = false, .activation = [](const Tensor& x) {
          return gelu(x);
        }};
    for (int i = 0; i < 2; ++i) transformer.encoder.layers.emplace_back(4, 2, generator, options);
    transformer.decoder.layers.emplace_back(4, 2, generator, options);
  }

  Tensor operator()(const Tensor& x) const {
    const Tensor source = plain(encoder(x).output);
    Tensor memory = source, y = over_two(source);
    for (const auto& layer : transformer.encoder.layers) memory = layer(memory);
    memory = transformer.encoder.norm(memory);
    for (const auto& layer : transformer.decoder.layers)
      y = layer(y, layer.prepare(y), Mask::causal(5, 5), layer.cross.prepare(memory, memory), {})
              .output;
    return transformer.decoder.norm(y);
  }
  void parameters(auto&& visit) {
    visit("encoder", encoder), visit("plain", plain), visit("over_two", over_two);
    visit("transformer", transformer);
  }

  LSTM encoder;
  LayerNorm plain, over_two;
  Transformer transformer;
};

struct Golden {
  explicit Golden(const std::string& file)
      : weights(load_tensors(std::string(GRADUS_TEST_DATA) + "/layers/golden/" + file).tensors) {
    input = weights.extract("input").mapped();
    output = weights.extract("output").mapped();
  }
  NamedTensors weights;
  Tensor input, output;
};

/// Names, shapes and bits.
bool same(const NamedTensors& a, const NamedTensors& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.shape() == y.second.shape() &&
           x.second.template to_vector<float>() == y.second.template to_vector<float>();
  });
}

double largest_difference(const Tensor& a, const Tensor& b) {
  return max(abs(a.detach() - b.detach())).item();
}

}  // namespace

TEST_CASE(
    "a model with PyTorch's weights computes PyTorch's output, and gives them back unchanged") {
  const Golden torch("torch.safetensors");
  Tagger model = tagger(1);
  load_pytorch(model, torch.weights);
  CHECK(largest_difference(model(torch.input), torch.output) < 1e-6);
  CHECK(same(to_pytorch(model, torch.weights), torch.weights));
}

TEST_CASE(
    "PyTorch's Transformer, LSTM and LayerNorm without biases are loaded by their own names") {
  const Golden torch("torch_without_biases.safetensors");
  for (const auto& [name, weight] : torch.weights)
    CHECK((name.find("bias") == name.npos || name == "over_two.bias"));
  Generator generator(1);
  WithoutBiases model(generator);
  load_pytorch(model, torch.weights);
  CHECK(largest_difference(model(torch.input), torch.output) < 1e-6);
  CHECK(same(to_pytorch(model, torch.weights), torch.weights));
}

TEST_CASE("a model with Keras' weights computes Keras' output, and gives them back unchanged") {
  const Golden keras("keras.safetensors");
  Tagger model = tagger(1);
  load_keras(model, keras.weights);
  CHECK(largest_difference(model(keras.input), keras.output) < 1e-6);
  CHECK(same(to_keras(model), keras.weights));
}

TEST_CASE("a GRU and an RNN take PyTorch's and Keras' weights, and give them back unchanged") {
  const Golden torch("torch_recurrent.safetensors"), keras("keras_recurrent.safetensors");
  Recurrent model(1);
  load_pytorch(model, torch.weights);
  CHECK(largest_difference(model(torch.input), torch.output) < 1e-6);
  CHECK(same(to_pytorch(model, torch.weights), torch.weights));
  load_keras(model, keras.weights);
  CHECK(largest_difference(model(keras.input), keras.output) < 1e-6);
  CHECK(same(to_keras(model, keras.weights), keras.weights));

  Recurrent other(2);  // by way of PyTorch, with biases that were added
  load_pytorch(other, to_pytorch(model));
  CHECK(largest_difference(other(keras.input), model(keras.input)) == 0);
  load_keras(other, to_keras(model));
  CHECK(largest_difference(other(keras.input), model(keras.input)) == 0);
}

TEST_CASE("of a GRU's biases only b_hn stands apart in PyTorch and Keras") {
  Generator generator(4);
  GRUCell cell(2, 1, generator);
  cell.bias.assign(tensor({1, 2, 3}));
  cell.bias_hn.assign(tensor({4}));
  CHECK(values(to_pytorch(cell).at("bias_ih")) == std::vector<double>{1, 2, 3});
  CHECK(values(to_pytorch(cell).at("bias_hh")) == std::vector<double>{0, 0, 4});
  CHECK(values(to_keras(cell).at("bias")) == std::vector<double>{2, 1, 3, 0, 0, 4});
}

TEST_CASE("of the two biases of PyTorch's LSTM, ours is the sum, and goes back as one of them") {
  const Golden torch("torch.safetensors");
  Tagger model = tagger(1);
  load_pytorch(model, torch.weights);
  Tensor bias = model.encoder.backward[1].bias;
  const Tensor ih = torch.weights.at("encoder.bias_ih_l1_reverse"),
               hh = torch.weights.at("encoder.bias_hh_l1_reverse");
  CHECK(values(bias) == values(ih + hh));

  const NamedTensors plain = to_pytorch(model);
  CHECK(values(plain.at("encoder.bias_ih_l1_reverse")) == values(bias));
  CHECK(values(plain.at("encoder.bias_hh_l1_reverse")) == values(zeros({12})));

  // Once it was trained, the pair that was loaded no longer adds up to it.
  bias.mutable_span<float>()[0] += 1;
  const NamedTensors trained = to_pytorch(model, torch.weights);
  CHECK(values(trained.at("encoder.bias_ih_l1_reverse")) == values(bias));
  CHECK(values(trained.at("encoder.bias_hh_l1_reverse")) == values(zeros({12})));
  CHECK(values(trained.at("encoder.bias_hh_l0")) == values(torch.weights.at("encoder.bias_hh_l0")));

  Tagger other = tagger(2);
  load_pytorch(other, trained);
  CHECK(largest_difference(other(torch.input), model(torch.input)) == 0);
}

TEST_CASE("what is written is the writer's own: training on does not change it") {
  Tagger model = tagger(1);
  const NamedTensors torch = to_pytorch(model), keras = to_keras(model);
  const NamedTensors torch_then = to_pytorch(tagger(1) = model);
  for_each_parameter(model, [](const std::string&, Tensor& x) {
    for (float& value : x.mutable_span<float>()) value += 1;
  });
  CHECK(same(torch, torch_then));
  CHECK_FALSE(same(keras, to_keras(model)));
}

TEST_CASE("keys and values of sizes of their own have projections of their own in PyTorch") {
  Generator generator(3);
  MultiHeadAttention attention(6, 2, generator, {.key_size = 4, .value_size = 5});
  const NamedTensors weights = to_pytorch(attention);
  CHECK(weights.at("q_proj_weight").shape() == Shape{6, 6});
  CHECK(weights.at("k_proj_weight").shape() == Shape{6, 4});
  CHECK(weights.at("v_proj_weight").shape() == Shape{6, 5});
  CHECK(weights.at("in_proj_bias").shape() == Shape{18});
  CHECK(to_keras(attention).at("value/kernel").shape() == Shape{5, 2, 3});
}

TEST_CASE("all that does not fit is said at once, and nothing is loaded") {
  Golden torch("torch.safetensors");
  torch.weights.erase("encoder.bias_hh_l0");
  torch.weights["tags.weight"] = zeros({5, 7});
  torch.weights["norm.bias"] = zeros({6}, DType::float64);
  torch.weights["head.weight"] = zeros({2});
  Tagger model = tagger(1);
  const NamedTensors before = to_pytorch(model);
  CHECK(error_of([&] { load_pytorch(model, torch.weights); }) ==
        "load: the tensors do not fit the model:\n"
        "  missing: 'encoder.bias_hh_l0', float32 (12)\n"
        "  different: 'norm.bias': expected float32 (6), got float64 (6)\n"
        "  different: 'tags.weight': expected float32 (5, 6), got float32 (5, 7)\n"
        "  unknown: 'head.weight', float32 (2)");
  CHECK(same(to_pytorch(model), before));

  const std::string error = error_of([&] { load_keras(model, torch.weights); });
  CHECK(error.find("missing: 'encoder/forward_lstm/lstm_cell/kernel', float32 (4, 12)") !=
        std::string::npos);
  CHECK(error.find("unknown: 'words.weight', float32 (7, 4)") != std::string::npos);
}
