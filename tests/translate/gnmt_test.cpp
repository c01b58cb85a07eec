#include <cmath>

#include "examples/translate/gnmt_model.h"
#include "layers/check/check.h"
#include "layers/exchange/onnx.h"
#include "tests/files.h"
#include "tests/layers/layer_check.h"

using namespace gradus;
using namespace gradus::translate;
using namespace gradus::testing;
using Vector = std::vector<double>;
using Vectors = std::vector<Vector>;

namespace {

/// GNMT without its embeddings: vectors in, logits out.
struct Network {
  GNMTModel model;

  Tensor operator()(const Tensor& source, const Mask& mask, const Tensor& target) const {
    return model.decode(target, model.encode(source, mask, nullptr), nullptr);
  }
  void parameters(auto&& visit) {
    visit("encoder", model.encoder);
    visit("decoder", model.decoder);
    visit("context", model.context);
    visit("attention", model.attention);
    visit("output", model.output);
  }
};

constexpr int64_t embedding = 3, hidden = 4, classes = 5;

Network network(int layers) {
  Generator generator(7);
  Network result{GNMTModel(6, classes,
                           {.embedding = embedding,
                            .hidden = hidden,
                            .layers = layers,
                            .architecture = Architecture::gnmt},
                           generator)};
  for_each_parameter(result, [&](const std::string&, Tensor& parameter) {
    parameter.assign(random_uniform(parameter.shape(), -0.7, 0.7, generator));
  });
  return result;
}

/// The network with a mask of its own.
struct Exported {
  Network network;
  Mask mask;
  Tensor operator()(const Tensor& source, const Tensor& target) const {
    return network(source, mask, target);
  }
  void parameters(auto&& visit) { visit("network", network); }
};

struct Inputs {
  Tensor source, target;
  Mask mask;
};
Inputs inputs() {
  Generator generator(8);
  return {random_normal({2, 4, embedding}, 0, 1, generator),
          random_normal({2, 3, embedding}, 0, 1, generator),
          Mask::lengths(std::vector<int64_t>{4, 2}, 4)};
}

// --- the equations, one number at a time -------------------------------------------------------

double at(const Tensor& matrix, size_t row, size_t column) {
  return matrix.span<float>()[row * static_cast<size_t>(matrix.size(1)) + column];
}

Vector product(const Tensor& matrix, const Vector& x) {
  Vector y(static_cast<size_t>(matrix.size(0)));
  for (size_t i = 0; i < y.size(); ++i)
    for (size_t j = 0; j < x.size(); ++j) y[i] += at(matrix, i, j) * x[j];
  return y;
}

Vector sum(Vector a, const Vector& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

struct State {
  Vector h, c;
};

/// One step of a cell; `more` is added to its gates.
State step(const LSTMCell& cell, const Vector& x, const State& before, const Vector& more) {
  Vector gates = sum(sum(product(cell.weight_ih, x), product(cell.weight_hh, before.h)), more);
  const size_t n = before.h.size();
  State after{Vector(n), Vector(n)};
  for (size_t i = 0; i < n; ++i) {
    const auto gate = [&](size_t k) {
      return gates[k * n + i] + cell.bias.span<float>()[k * n + i];
    };
    after.c[i] = sigmoid(gate(1)) * before.c[i] + sigmoid(gate(0)) * std::tanh(gate(2));
    after.h[i] = sigmoid(gate(3)) * std::tanh(after.c[i]);
  }
  return after;
}

/// A direction of a layer over a sentence; leaves the last state in `state`.
Vectors run(const LSTMCell& cell, const Vectors& x, State& state) {
  const auto n = static_cast<size_t>(cell.hidden());
  state = {Vector(n), Vector(n)};
  Vectors y;
  for (const Vector& word : x) {
    state = step(cell, word, state, Vector(4 * n));
    y.push_back(state.h);
  }
  return y;
}

Vectors reversed(Vectors x) {
  std::ranges::reverse(x);
  return x;
}

Vector concatenated(Vector a, const Vector& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Vector attended(const Attention& attention, const Vector& query, const Vectors& keys) {
  Vector scores, context(keys[0].size());
  double total = 0;
  for (const Vector& key : keys) {
    const Vector inner =
        sum(product(attention.query->weight, query), product(attention.key->weight, key));
    double score = 0;
    for (size_t i = 0; i < inner.size(); ++i)
      score += attention.v.span<float>()[i] * std::tanh(inner[i]);
    scores.push_back(std::exp(score));
    total += scores.back();
  }
  for (size_t s = 0; s < keys.size(); ++s)
    for (size_t i = 0; i < context.size(); ++i) context[i] += scores[s] / total * keys[s][i];
  return context;
}

/// The logits of a sentence pair, one vector per step.
Vectors by_definition(const GNMTModel& m, const Vectors& source, const Vectors& target) {
  Vectors h;
  std::vector<State> states(m.encoder.size());
  State ahead, back;
  const Vectors forth = run(m.encoder[0].forward[0], source, ahead),
                against = reversed(run(m.encoder[0].backward[0], reversed(source), back));
  for (size_t s = 0; s < source.size(); ++s) h.push_back(concatenated(forth[s], against[s]));
  states[0] = {concatenated(ahead.h, back.h), concatenated(ahead.c, back.c)};
  for (size_t layer = 1; layer < m.encoder.size(); ++layer) {
    Vectors y = run(m.encoder[layer].forward[0], h, states[layer]);
    for (size_t s = 0; s < h.size(); ++s) h[s] = layer >= 2 ? sum(y[s], h[s]) : y[s];
  }
  Vectors logits;
  for (const Vector& word : target) {
    const Vector a = attended(m.attention, states[0].h, h);
    Vector y = word;
    for (size_t layer = 0; layer < m.decoder.size(); ++layer) {
      states[layer] = step(m.decoder[layer], y, states[layer], product(m.context[layer].weight, a));
      y = layer >= 2 ? sum(states[layer].h, y) : states[layer].h;
    }
    Vector of_step = product(m.output.weight, y);
    for (size_t k = 0; k < of_step.size(); ++k) of_step[k] += m.output.bias.span<float>()[k];
    logits.push_back(of_step);
  }
  return logits;
}

Vectors rows(const Tensor& x, int64_t sentence, int64_t length) {
  Vectors result;
  for (int64_t t = 0; t < length; ++t) result.push_back(x[sentence][t].to_vector<double>());
  return result;
}

}  // namespace

TEST_CASE("GNMT is what its equations say, with and without residual connections") {
  const Inputs x = inputs();
  for (const int layers : {1, 2, 4}) {
    const Network net = network(layers);
    const Tensor logits = contiguous(net(x.source, x.mask, x.target));
    REQUIRE(logits.shape() == Shape{2, 3, classes});
    for (int64_t sentence = 0; sentence < 2; ++sentence) {
      const Vectors expected = by_definition(
          net.model, rows(x.source, sentence, sentence == 0 ? 4 : 2), rows(x.target, sentence, 3));
      for (int64_t t = 0; t < 3; ++t)
        for (int64_t k = 0; k < classes; ++k)
          CHECK(logits[sentence][t].to_vector<double>()[static_cast<size_t>(k)] ==
                doctest::Approx(expected[static_cast<size_t>(t)][static_cast<size_t>(k)])
                    .epsilon(1e-5));
    }
  }
}

TEST_CASE("GNMT keeps the promises of a layer") {
  const Inputs x = inputs();
  for (const int layers : {1, 3}) {
    const LayerReport report = check_layer(network(layers), x.source, x.mask, x.target);
    CHECK_MESSAGE(report.passed(), report.text());
  }
}

TEST_CASE("GNMT is exported to ONNX") {
  const Folder folder;
  const Inputs x = inputs();
  Exported model{network(3), x.mask};
  export_onnx(folder / "gnmt.onnx", model, x.source, x.target);
  CHECK(contents(folder / "gnmt.onnx").size() > 1000);
}

TEST_CASE("GNMT refuses a hidden size that two directions cannot share") {
  Generator generator(1);
  CHECK_THROWS_WITH(GNMTModel(6, 5, {.hidden = 7, .architecture = Architecture::gnmt}, generator),
                    "translate: expected an even hidden size for a bidirectional encoder, got 7");
}
