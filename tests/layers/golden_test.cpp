#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/layers/layer_check.h"

using namespace gradus;
using namespace gradus::testing;
using nlohmann::json;

namespace {

using Named = std::map<std::string, Tensor>;

Tensor tensor_of(const json& numbers) {
  const auto sizes = numbers["shape"].get<std::vector<int64_t>>();
  return tensor(numbers["values"].get<std::vector<float>>(), Shape(std::span(sizes)));
}

Named tensors_of(const json& named) {
  Named result;
  for (const auto& [name, numbers] : named.items()) result[name] = tensor_of(numbers);
  return result;
}

void check_close(const std::string& what, const Tensor& given, const json& expected) {
  const Tensor wanted = tensor_of(expected);
  REQUIRE_MESSAGE(given.shape() == wanted.shape(), what);
  const auto a = given.to_vector<double>(), b = wanted.to_vector<double>();
  double largest = 0, difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(b[i]));
    if (!(std::abs(a[i] - b[i]) <= difference)) difference = std::abs(a[i] - b[i]);
  }
  CAPTURE(what);
  // The stored numbers are float64 rounded once; PyTorch's own float32 differs from them by up to
  // 1.7e-6 in the gradients of additive attention.
  CHECK(difference <= 1e-6 * std::max(1.0, largest));
}

/// PyTorch's parameters and inputs in, its outputs and gradients expected out.
template <class L, class F>
void check_case(const json& c, L layer, F outputs_of) {
  load_tensors_into(layer, tensors_of(c.at("parameters")));
  Named leaves = tensors_of(c.at("inputs"));
  for (auto& [name, input] : leaves) input.require_grad();
  const Named outputs = outputs_of(layer, leaves);
  leaves.merge(named_tensors(layer));
  Tensor loss = zeros({});
  REQUIRE(outputs.size() == c.at("outputs").size());
  for (const auto& [name, output] : outputs) {
    check_close(name, output, c.at("outputs")[name]);
    loss = loss + sum(output * tensor_of(c.at("seeds")[name]));
  }
  loss.backward();
  REQUIRE(c.at("gradients").size() == leaves.size());
  for (const auto& [name, leaf] : leaves)
    check_close("gradient of " + name, leaf.grad(), c.at("gradients")[name]);
}

Tensor nth(const Named& in, const std::string& name, int64_t i) { return in.at(name)[i]; }

LSTMState initial_state(const Named& in, int64_t i, const LSTMCell&) {
  return {nth(in, "h", i), nth(in, "c", i)};
}
Tensor initial_state(const Named& in, int64_t i, const auto&) { return nth(in, "h", i); }

/// The state as "h", and "c" for an LSTM.
template <class State>
Named named_states(const std::vector<State>& states) {
  std::vector<Tensor> hs, cs;
  for (const State& state : states) {
    hs.push_back(*gradus::testing::tensors_of(state)[0]);
    if (gradus::testing::tensors_of(state).size() > 1)
      cs.push_back(*gradus::testing::tensors_of(state)[1]);
  }
  Named result{{"h", stack(hs, 0)}};
  if (!cs.empty()) result["c"] = stack(cs, 0);
  return result;
}

template <class Net>
void check_recurrent(const json& c, const Net& net) {
  check_case(c, net, [&](Net& net, Named& in) {
    std::vector<std::decay_t<decltype(initial_state(in, 0, net.forward[0]))>> initial;
    for (int64_t i = 0; i < in["h"].size(0); ++i)
      initial.push_back(initial_state(in, i, net.forward[0]));
    const auto lengths = c.at("lengths").get<std::vector<int64_t>>();
    const Mask mask = lengths.empty() ? Mask() : Mask::lengths(lengths, in["x"].size(1));
    const auto result = net(in["x"], initial, mask);
    Named outputs = named_states(result.states);
    outputs["y"] = result.output;
    return outputs;
  });
}

RNNActivation activation_of(const json& c) {
  return c.value("activation", "tanh") == "relu" ? RNNActivation::relu : RNNActivation::tanh;
}

const std::map<std::string, Score> scores{{"dot", Score::dot},
                                          {"scaled_dot", Score::scaled_dot},
                                          {"general", Score::general},
                                          {"additive", Score::additive}};

TransformerOptions transformer_options(const json& c) {
  TransformerOptions options{
      .feed_forward = 5, .norm_first = c.at("norm_first"), .bias = c.value("bias", true)};
  if (c.contains("activation")) options.activation = [](const Tensor& x) { return gelu(x); };
  return options;
}

void check_named_case(const std::string& name, const json& c) {
  Generator generator(1);
  const std::string kind = name.substr(0, name.find(' '));
  if (kind == "dense") {
    check_case(c, Dense(4, 5, generator, {.bias = c.at("bias").get<bool>()}),
               [](Dense& dense, Named& in) {
                 return Named{{"y", dense(in["x"])}};
               });
  } else if (kind == "embedding") {
    std::vector<int64_t> ids;
    for (const json& row : c.at("ids")) ids.insert(ids.end(), row.begin(), row.end());
    check_case(c, Embedding(6, 3, generator, c.at("padding_id").get<int64_t>()),
               [&](Embedding& embedding, Named&) {
                 return Named{{"y", embedding(tensor(ids, {2, 4}))}};
               });
  } else if (kind == "layer_norm") {
    const auto axes = c.value("axes", std::vector<int64_t>{6});
    const bool has_weight = c.at("parameters").contains("weight");
    const bool has_bias = c.at("parameters").contains("bias");
    const LayerNorm layer(axes, {.weight = has_weight, .bias = has_bias});
    check_case(c, layer, [](LayerNorm& norm, Named& in) { return Named{{"y", norm(in["x"])}}; });
  } else if (kind == "lstm_cell") {
    check_case(c, LSTMCell(4, 5, generator), [](LSTMCell& cell, Named& in) {
      const LSTMState next = cell(in["x"], {in["h"], in["c"]});
      return Named{{"h", next.h}, {"c", next.c}};
    });
  } else if (kind == "gru_cell") {
    check_case(c, GRUCell(4, 5, generator), [](GRUCell& cell, Named& in) {
      return Named{{"h", cell(in["x"], in["h"])}};
    });
  } else if (kind == "rnn_cell") {
    check_case(c, RNNCell(4, 5, generator, activation_of(c)), [](RNNCell& cell, Named& in) {
      return Named{{"h", cell(in["x"], in["h"])}};
    });
  } else if (kind == "lstm" || kind == "gru" || kind == "rnn") {
    const RecurrentOptions options{.layers = c.at("layers"),
                                   .bidirectional = c.at("bidirectional"),
                                   .bias = c.value("bias", true)};
    if (kind == "lstm") check_recurrent(c, LSTM(4, 3, generator, options));
    if (kind == "gru") check_recurrent(c, GRU(4, 3, generator, options));
    if (kind == "rnn") check_recurrent(c, RNN(4, 3, generator, options, activation_of(c)));
  } else if (kind == "attention") {
    const Score score = scores.at(c.at("score"));
    const bool is_dot = score == Score::dot || score == Score::scaled_dot;
    Mask mask;
    if (!c.at("attended").empty()) {
      std::vector<float> attended;
      for (const json& row : c.at("attended"))
        attended.insert(attended.end(), row.begin(), row.end());
      mask = Mask::attend(tensor(attended, {2, 4}), Mask::batch_time);
    }
    check_case(
        c, Attention(score, 4, is_dot ? 4 : 6, generator, {.additive_size = c.at("additive_size")}),
        [&](Attention& attention, Named& in) {
          const auto a = attention(in["query"], in["keys"], in["values"], mask);
          return Named{{"output", a.output}, {"weights", a.weights}};
        });
  } else if (kind == "multi_head_attention") {
    Mask mask;
    if (!c.at("attended").is_null()) {
      const Tensor ones = tensor_of(c.at("attended"));
      mask = Mask::attend(ones, ones.rank() == 2 ? Mask::batch_time : Mask::elements);
    }
    check_case(c,
               MultiHeadAttention(6, 3, generator,
                                  {.key_size = 4, .value_size = 5, .bias = c.value("bias", true)}),
               [&](MultiHeadAttention& attention, Named& in) {
                 const auto a = attention(in["query"], in["keys"], in["values"], mask);
                 return Named{{"output", a.output},
                              {"weights", c.at("averaged") ? mean(a.weights, {1}) : a.weights}};
               });
  } else if (kind == "transformer_encoder_layer") {
    check_case(c, TransformerEncoderLayer(6, 2, generator, transformer_options(c)),
               [&](TransformerEncoderLayer& layer, Named& in) {
                 return Named{{"y", layer(in["x"], Mask::attend(tensor_of(c.at("attended")),
                                                                Mask::batch_time))}};
               });
  } else if (kind == "transformer_decoder_layer") {
    check_case(c, TransformerDecoderLayer(6, 2, generator, transformer_options(c)),
               [&](TransformerDecoderLayer& layer, Named& in) {
                 const Tensor &x = in["x"], &memory = in["memory"];
                 return Named{
                     {"y", layer(x, layer.prepare(x), Mask::causal(3, 3),
                                 layer.cross.prepare(memory, memory),
                                 Mask::attend(tensor_of(c.at("memory_attended")), Mask::batch_time))
                               .output}};
               });
  } else if (kind == "scaled_dot_product_attention") {
    const Mask mask = c.at("causal") ? Mask::causal(4, 4) : Mask();
    check_case(c, NoParameters{}, [&](NoParameters&, Named& in) {
      return Named{
          {"output", ScaledDotAttention{}(in["query"], in["keys"], in["values"], mask).output}};
    });
  } else {
    FAIL("no layer for the case " << name);
  }
}

}  // namespace

TEST_CASE("layers compute PyTorch's outputs and gradients in float32") {
  std::ifstream file(std::string(GRADUS_TEST_DATA) + "/layers/golden/layers.json");
  const json cases = json::parse(file);
  REQUIRE(cases.size() == 60);
  for (const auto& entry : cases.items()) {
    CAPTURE(entry.key());
    check_named_case(entry.key(), entry.value());
  }
}
