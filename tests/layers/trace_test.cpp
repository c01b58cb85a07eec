#include "core/trace/trace.h"

#include <doctest/doctest.h>

#include "layers/layers.h"

using namespace gradus;

namespace {

struct Model {
  Embedding embedding;
  LSTM encoder;
  Attention attention;
  Dense output;

  Tensor operator()(const Tensor& ids) const {
    const Tensor h = encoder(embedding(ids)).output;
    return linear(tanh(attention(h, h, h).output), output.weight, output.bias);
  }
  void parameters(auto&& visit) {
    visit("embedding", embedding);
    visit("encoder", encoder);
    visit("attention", attention);
    visit("output", output);
  }
};

Trace recorded(bool with_names) {
  Generator generator(1);
  Model model{Embedding(5, 2, generator), LSTM(2, 3, generator),
              Attention(Score::general, 3, 3, generator), Dense(3, 2, generator)};
  Trace trace;
  {
    const StepByStep one_by_one;
    const auto recording = trace.record(with_names ? layer_names(model) : LayerNames{});
    sum(model(tensor({{0, 1, 2}}, DType::int64))).backward();
  }
  return trace;
}

/// The paths in which `op` was recorded, with the time step where there is one.
std::vector<std::string> places(const Trace& trace, const std::string& op) {
  std::vector<std::string> result;
  for (const TraceNode& node : trace.nodes())
    if (node.op == op)
      result.push_back(node.path + (node.time < 0 ? "" : fmt::format("@{}", node.time)));
  return result;
}

}  // namespace

TEST_CASE("a step knows its layer's dotted name, the part of it and the time step") {
  const Trace trace = recorded(true);
  using Places = std::vector<std::string>;
  CHECK(places(trace, "gather") == Places{"embedding"});
  CHECK(places(trace, "lstm_cell") ==
        Places{"encoder.forward.0@0", "encoder.forward.0@1", "encoder.forward.0@2"});
  CHECK(places(trace, "matmul") == Places{"attention.score", "attention"});
  CHECK(places(trace, "tanh") == Places{""});
}

TEST_CASE("a step that reads a layer's weight without its scope belongs to that layer") {
  CHECK(places(recorded(true), "linear").back() == "output");
}

TEST_CASE("layers without a name go by their type") {
  CHECK(places(recorded(false), "lstm_cell").front() == "LSTM.LSTMCell@0");
  CHECK(places(recorded(false), "matmul").front() == "Attention.score");
}

TEST_CASE("a step names the lines of the program that led to it") {
  const Trace trace = recorded(true);
  for (const TraceNode& node : trace.nodes())
    if (node.op == "lstm_cell") {
      REQUIRE(node.source.size() > 1);
      CHECK(node.source[0].file == "layers/recurrent/recurrence.h");
      CHECK(node.source[0].line > 0);
      CHECK(node.source.back().file.starts_with("tests/"));
    }
}

TEST_CASE(
    "a recording changes no bit of what an LSTM and attention compute, nor of their gradients") {
  auto run = [](bool records) {
    Generator generator(3);
    LSTM lstm(5, 70, generator, {.layers = 2, .bidirectional = true});
    const Tensor x = random_normal({6, 7, 5}, 0, 1, generator).require_grad();
    const Mask lengths = Mask::lengths(std::vector<int64_t>{7, 7, 4, 3, 2, 1}, 7);
    auto loss = [&] {
      const Tensor y = lstm(x, lengths).output;
      return sum(ScaledDotAttention{}(y, y, y).output * y);
    };
    std::vector<Tensor> all = parameters(lstm);
    all.push_back(x);
    Trace trace;
    std::vector<std::vector<float>> result;
    auto note = [&] {
      const Tensor l = loss();
      result.push_back(l.to_vector<float>());
      for (const Tensor& g : grad({l}, all)) result.push_back(g.to_vector<float>());
    };
    if (records) {
      const auto recording = trace.record();
      note();
    } else {
      note();
    }
    return result;
  };
  CHECK(run(true) == run(false));
}
