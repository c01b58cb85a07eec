#include "examples/look/network.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "core/functions/gradient_check.h"
#include "layers/check/check.h"
#include "layers/exchange/onnx.h"
#include "tests/layers/layer_check.h"

using namespace gradus;
using namespace gradus::look;
using namespace gradus::testing;

namespace {

constexpr int64_t across = 4, cell = 3, words = 6, answers = 3;

LookNetwork network(const LookOptions& options) {
  Generator generator(3);
  return LookNetwork(across, cell, words, answers, options, generator);
}

const LookOptions small{.size = 4, .heads = 2, .hops = 2, .objects = 3};

struct Example {
  Tensor cells = cast(irregular({2, across* across, cell}, 1), DType::float32);
  Tensor questions =
      tensor(std::vector<int64_t>{1, 2, 3, 4, 5, 0, 2, 0, 0, 3, 3, 1, 5, 0, 0, 4, 1, 0}, {2, 3, 3});
};

double at(const Tensor& x, std::vector<int64_t> place) {
  int64_t offset = 0;
  for (size_t axis = 0; axis < place.size(); ++axis)
    offset = offset * x.size(int(axis)) + place[axis];
  return x.to_vector<double>()[size_t(offset)];
}

/// y = W x + b, number by number; without a bias, b = 0.
std::vector<double> dense(const Dense& layer, const std::vector<double>& x) {
  std::vector<double> y;
  for (int64_t i = 0; i < layer.weight.size(0); ++i) {
    y.push_back(layer.bias.defined() ? at(layer.bias, {i}) : 0);
    for (size_t j = 0; j < x.size(); ++j) y.back() += at(layer.weight, {i, int64_t(j)}) * x[j];
  }
  return y;
}
std::vector<double> positive(std::vector<double> x) {
  for (double& value : x) value = std::max(value, 0.0);
  return x;
}

}  // namespace

TEST_CASE("the layers that look keep the promises of layers") {
  Generator generator(1);
  const Example x;
  const Tensor asked = random_normal({2, 3, 4}, 0, 1, generator),
               seen = random_normal({2, 5, 4}, 0, 1, generator);
  for (const LayerReport& report : {check_layer(PatchEncoder(across, cell, 4, generator), x.cells),
                                    check_layer(Hop(4, 2, generator), asked, Modality{seen}),
                                    check_layer(network(small), x.cells, x.questions)})
    CHECK_MESSAGE(report.passed(), report.text());
}

TEST_CASE("a patch is its nine cells and its place") {
  Generator generator(2);
  const PatchEncoder encoder(across, cell, 4, generator);
  for (const Dense* layer : {&encoder.cell, &encoder.patch, &encoder.content}) {
    Tensor bias = layer->bias.detach();
    bias.assign(random_normal(bias.shape(), 0, 1, generator));
  }
  const Example x;
  const Tensor y = encoder(x.cells);
  REQUIRE(y.shape() == Shape{2, 4, 4});
  for (int64_t picture = 0; picture < 2; ++picture)
    for (int64_t patch = 0; patch < 4; ++patch) {
      std::vector<double> parts;
      for (int64_t row = patch / 2; row < patch / 2 + 3; ++row)
        for (int64_t column = patch % 2; column < patch % 2 + 3; ++column) {
          std::vector<double> ink;
          for (int64_t i = 0; i < cell; ++i)
            ink.push_back(at(x.cells, {picture, row * across + column, i}));
          for (const double value : positive(dense(encoder.cell, ink))) parts.push_back(value);
        }
      const double px = patch % 2 * 2 - 1, py = patch / 2 * 2 - 1;
      const std::vector<double> place{px, py, px * px + py * py};
      const std::vector<double> of_place = dense(encoder.place, place);
      const auto expected = dense(encoder.content, positive(dense(encoder.patch, parts)));
      for (int64_t i = 0; i < 4; ++i)
        CHECK(at(y, {picture, patch, i}) ==
              doctest::Approx(expected[size_t(i)] + of_place[size_t(i)]).epsilon(1e-5));
    }
}

TEST_CASE("a hop is its equations: look, then think") {
  Generator generator(4);
  const Hop hop(4, 2, generator);
  const Tensor x = random_normal({2, 3, 4}, 0, 1, generator),
               picture = random_normal({2, 5, 4}, 0, 1, generator);
  const FusionOutput y = hop(x, {picture});
  const Tensor normal = layer_norm(x);
  const AttentionOutput c = hop.look.attention[0](normal, picture, picture);
  const Tensor gate = sigmoid(hop.look.gates[0](concat({normal, c.output}, 2)));
  const Tensor fused = normal + gate * c.output;
  const Tensor expected = fused + hop.think.outer(relu(hop.think.inner(layer_norm(fused))));
  CHECK(max(abs(y.output - expected)).item() < 1e-5);
  CHECK(y.weights[0].shape() == Shape{2, 2, 3, 5});
  CHECK(max(abs(sum(y.weights[0], {3}) - 1)).item() < 1e-5);
}

TEST_CASE("all look at the patches first, then at what the questions of the network's own found") {
  const LookNetwork n = network(small);
  const Example x;
  const Tensor asked = sum((*n.words)(x.questions), {2});
  const FusionOutput first =
      n.hops[0](concat({asked, expand(n.objects, {2, 3, 4})}, 1), {(*n.picture)(x.cells)});
  const Tensor found = slice(first.output, 1, 3, 6);
  const FusionOutput second = n.hops[1](first.output, {layer_norm(found)});
  const LookOutput y = n(x.cells, x.questions);
  const Tensor logits = n.answer(relu(n.hidden(layer_norm(slice(second.output, 1, 0, 3)))));
  CHECK(max(abs(y.logits - logits)).item() < 1e-5);

  const Tensor of_first = mean(first.weights[0], {1}), of_second = mean(second.weights[0], {1});
  const Tensor through = matmul(slice(of_second, 1, 0, 3), slice(of_first, 1, 3, 6));
  REQUIRE(y.weights.size() == 2);
  CHECK(max(abs(y.weights[0] - slice(of_first, 1, 0, 3))).item() < 1e-6);
  CHECK(max(abs(y.weights[1] - through)).item() < 1e-6);
  CHECK(max(abs(sum(y.weights[1], {2}) - 1)).item() < 1e-5);
}

TEST_CASE("a model without a modality does not depend on it") {
  const Example x;
  const Tensor cells = x.cells * 2 + 1,
               questions = tensor(
                   std::vector<int64_t>{5, 1, 1, 2, 5, 2, 1, 1, 0, 4, 2, 0, 1, 0, 0, 3, 3, 3},
                   {2, 3, 3});
  const auto change = [](const LookNetwork& n, const Tensor& cells, const Tensor& questions) {
    const Example x;
    return max(abs(n(cells, questions).logits - n(x.cells, x.questions).logits)).item();
  };
  const LookNetwork both = network(small);
  CHECK(change(both, cells, x.questions) > 1e-3);
  CHECK(change(both, x.cells, questions) > 1e-3);
  LookOptions options = small;
  options.picture = false;
  const LookNetwork blind = network(options);
  CHECK(change(blind, cells, x.questions) == 0);
  CHECK(change(blind, x.cells, questions) > 1e-3);
  CHECK(blind(x.cells, x.questions).weights.empty());
  options = small;
  options.question = false;
  const LookNetwork deaf = network(options);
  CHECK(change(deaf, cells, x.questions) > 1e-3);
  CHECK(change(deaf, x.cells, questions) == 0);
}

TEST_CASE("sizes that do not fit are refused by name") {
  Generator generator(1);
  CHECK_THROWS_WITH(PatchEncoder(3, 3, 4, generator),
                    "patch_encoder: expected four cells across or more, got 3");
  const PatchEncoder encoder(4, 3, 4, generator);
  CHECK_THROWS_WITH(encoder(zeros({2, 15, 3})),
                    doctest::Contains("patch_encoder: expected cells of shape (pictures, 16, 3), "
                                      "got "));
}

TEST_CASE("a looker is exported to ONNX") {
  LookNetwork n = network(small);
  const Example x;
  const std::string path = fmt::format("look.{}.onnx", getpid());
  export_onnx(path, n, x.cells, x.questions);
  CHECK(std::filesystem::file_size(path) > 4 * size_t(parameter_count(n)));
  std::filesystem::remove(path);
}
