#include "tests/files.h"
#include "tests/layers/layer_check.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

struct Block {
  Dense first;
  std::vector<LSTMCell> layers;
  std::optional<LayerNorm> norm;

  void parameters(auto&& visit) {
    visit("first", first);
    visit("layers", layers);
    visit("norm", norm);
  }
};

Block make_block(uint64_t seed, bool with_norm = false) {
  Generator generator(seed);
  Block block{Dense(2, 3, generator, {.bias = false}), {}, {}};
  for (int i = 0; i < 2; ++i) block.layers.emplace_back(3, 1, generator);
  if (with_norm) block.norm.emplace(4);
  return block;
}

struct Tied {
  Embedding embedding;
  Dense output;

  void parameters(auto&& visit) {
    visit("embedding", embedding);
    visit("output", output);
  }
};

struct Twice {
  Dense a, b;

  void parameters(auto&& visit) {
    visit("same", a);
    visit("same", b);
  }
};

template <class L>
std::vector<std::string> names_of(L& model) {
  std::vector<std::string> names;
  for_each_parameter(model, [&](const std::string& name, Tensor&) { names.push_back(name); });
  return names;
}

std::vector<float> all_values(Block& block) {
  std::vector<float> values;
  for (const auto& [name, tensor] : named_tensors(block))
    for (float value : tensor.to_vector<float>()) values.push_back(value);
  return values;
}

}  // namespace

TEST_CASE("parameters are named by their path, in the order in which layers name them") {
  Block block = make_block(1);
  CHECK(names_of(block) == std::vector<std::string>{"first.weight", "layers.0.weight_ih",
                                                    "layers.0.weight_hh", "layers.0.bias",
                                                    "layers.1.weight_ih", "layers.1.weight_hh",
                                                    "layers.1.bias"});
  Block with_norm = make_block(1, true);
  CHECK(names_of(with_norm).size() == 9);
  CHECK(names_of(with_norm).back() == "norm.bias");
}

TEST_CASE("every kind of layer names and counts its parameters") {
  Generator generator(1);
  auto check = [](auto layer, std::vector<std::string> names, int64_t count) {
    CHECK(names_of(layer) == names);
    CHECK(parameter_count(layer) == count);
  };
  check(Dense(3, 2, generator), {"weight", "bias"}, 8);
  check(Embedding(5, 3, generator), {"weight"}, 15);
  check(LayerNorm(4), {"weight", "bias"}, 8);
  check(LSTMCell(3, 2, generator), {"weight_ih", "weight_hh", "bias"}, 8 * (3 + 2 + 1));
  check(LSTM(3, 2, generator, {.bidirectional = true}),
        {"forward.0.weight_ih", "forward.0.weight_hh", "forward.0.bias", "backward.0.weight_ih",
         "backward.0.weight_hh", "backward.0.bias"},
        2 * 8 * (3 + 2 + 1));
  check(LSTM(3, 2, generator, {.layers = 2, .bidirectional = true}),
        {"forward.0.weight_ih", "forward.0.weight_hh", "forward.0.bias", "forward.1.weight_ih",
         "forward.1.weight_hh", "forward.1.bias", "backward.0.weight_ih", "backward.0.weight_hh",
         "backward.0.bias", "backward.1.weight_ih", "backward.1.weight_hh", "backward.1.bias"},
        2 * 8 * (3 + 2 + 1) + 2 * 8 * (4 + 2 + 1));
  check(Attention(Score::dot, 3, 3, generator), {}, 0);
  check(Attention(Score::general, 2, 3, generator), {"key.weight"}, 6);
  check(Attention(Score::additive, 2, 3, generator, {.additive_size = 5}),
        {"query.weight", "key.weight", "v"}, 30);
}

TEST_CASE("an error speaks of a parameter by its path") {
  Block block = make_block(1);
  parameters(block);
  CHECK_THROWS_WITH_AS(
      block.first(ones({4, 5})),
      "dense: expected x of shape (…, 2) for a weight (3, 2) 'first.weight', got (4, 5), "
      "in first",
      Error);
}

TEST_CASE("parameters() gives a shared tensor once, and a frozen one not at all") {
  Generator generator(1);
  Tied tied{Embedding(5, 3, generator), Dense(3, 5, generator)};
  CHECK(parameter_count(tied) == 15 + 15 + 5);
  tied.output.weight = tied.embedding.weight;
  CHECK(parameter_count(tied) == 15 + 5);
  CHECK(tied.output.weight.name() == "embedding.weight");
  CHECK(named_tensors(tied).size() == 3);

  tied.output.bias = tied.output.bias.detach();
  CHECK(parameter_count(tied) == 15);
  CHECK(named_tensors(tied).contains("output.bias"));
}

TEST_CASE("two parameters of one name are refused") {
  Generator generator(1);
  Twice twice{Dense(1, 1, generator), Dense(1, 1, generator)};
  CHECK_THROWS_WITH_AS(named_tensors(twice), "parameters: two are named 'same.weight'", Error);
}

TEST_CASE("loading names everything that does not fit at once, and changes nothing") {
  Block block = make_block(1);
  const std::vector<float> before = all_values(block);
  Block source = make_block(2);
  std::map<std::string, Tensor> tensors = named_tensors(source);
  CHECK_FALSE(all_values(source) == before);
  tensors.erase("first.weight");
  tensors["layers.0.bias"] = zeros({5});
  tensors["layers.1.bias"] = zeros({4}, DType::float64);
  tensors["last.weight"] = zeros({2, 2});
  CHECK_THROWS_WITH_AS(load_tensors_into(block, tensors),
                       "load: the tensors do not fit the model:\n"
                       "  missing: 'first.weight', float32 (3, 2)\n"
                       "  different: 'layers.0.bias': expected float32 (4), got float32 (5)\n"
                       "  different: 'layers.1.bias': expected float32 (4), got float64 (4)\n"
                       "  unknown: 'last.weight', float32 (2, 2)",
                       Error);
  CHECK(all_values(block) == before);
}

TEST_CASE("loading keeps the parameters that an optimiser holds") {
  Block block = make_block(1), source = make_block(2);
  const std::vector<Tensor> held = parameters(block);
  load_tensors_into(block, named_tensors(source));
  CHECK(all_values(block) == all_values(source));
  CHECK(held[0].to_vector<float>() == source.first.weight.to_vector<float>());
  CHECK(block.first.weight.node() == held[0].node());
}

TEST_CASE("a model comes back from its file with the same bits and the text beside it") {
  const Folder folder;
  const std::string path = folder / "f";
  Block block = make_block(1), other = make_block(2), larger = make_block(3, true);
  save_model(path, block, {{"epoch", "3"}});
  CHECK(load_model(path, other) == std::map<std::string, std::string>{{"epoch", "3"}});
  CHECK(all_values(other) == all_values(block));
  CHECK_THROWS_WITH_AS(load_model(path, larger),
                       (path + ": load: the tensors do not fit the model:\n"
                               "  missing: 'norm.bias', float32 (4)\n"
                               "  missing: 'norm.weight', float32 (4)")
                           .c_str(),
                       Error);
}
