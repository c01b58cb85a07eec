#include <fmt/core.h>
#include <unistd.h>

#include <filesystem>

#include "examples/answer/memory_network.h"
#include "examples/answer/reduction_network.h"
#include "examples/translate/gnmt_model.h"
#include "layers/layers.h"
#include "optim/optimizer.h"
#include "tests/onnx/write.h"

// Trains a few models for a moment and exports them, each as NAME.onnx, with inputs and our outputs
// beside it in NAME.safetensors. check.py compares them with what onnxruntime computes. Without a
// folder as argument nothing stays.

using namespace gradus;

namespace {

Generator generator(1);

struct Tagger {
  Embedding words{9, 6, generator, 0};
  LSTM encoder{6, 4, generator, {.layers = 2, .bidirectional = true}};
  LayerNorm norm{8};
  Dense tags{8, 5, generator};

  Tensor operator()(const Tensor& ids) const {
    return log_softmax(tags(gelu(norm(encoder(words(ids)).output))));
  }
  void parameters(auto&& visit) {
    visit("words", words), visit("encoder", encoder), visit("norm", norm), visit("tags", tags);
  }
};

struct Attender {
  Attention attention{Score::additive, 6, 4, generator, {.additive_size = 5}};
  AttentionOutput operator()(const Tensor& query, const Tensor& keys) const {
    const Mask some =
        Mask::attend(tensor({{1, 1, 0, 1}, {0, 0, 0, 0}}), Mask::batch_time);  // a row of nothing
    return attention(query, keys, keys, some);
  }
  void parameters(auto&& visit) { visit("attention", attention); }
};

/// Two steps that look at a source, the second one where the first one did not, and then write
/// words of a vocabulary of 7 or copy those of the source, of 9; beside it log p of words, and what
/// was looked at again.
struct Copier {
  Attention attention{Score::additive, 6, 4, generator};
  Coverage coverage{4, generator};
  Dense logits{6, 7, generator};
  Copy copy{6, generator};

  std::pair<Tensor, Tensor> operator()(const Tensor& states, const Tensor& keys,
                                       const Tensor& source) const {
    const std::vector<int64_t> lengths{4, 3};
    const Mask mask = Mask::lengths(lengths, 4);
    const KeyValues prepared = attention.prepare(keys, keys, mask);
    Tensor covered = zeros({2, 4});
    std::vector<Tensor> weights;
    for (int64_t t = 0; t < 2; ++t) {
      const Tensor query = slice(states, 1, t, t + 1);
      weights.push_back(attention.attend(query, coverage(prepared, covered), mask).weights);
      covered = covered + squeeze(weights.back(), 1);
    }
    const CopyInput input{states, logits(states), concat(weights, 1)};
    return {copy(input, source, 9, mask), coverage_loss(input.weights)};
  }
  void parameters(auto&& visit) {
    visit("attention", attention), visit("coverage", coverage);
    visit("logits", logits), visit("copy", copy);
  }
};

/// GNMT with a residual connection, on sentences of words 0 to 8 of which the second one is
/// shorter.
struct GNMT {
  translate::GNMTModel model{
      9,
      9,
      {.embedding = 3, .hidden = 4, .layers = 3, .architecture = translate::Architecture::gnmt},
      generator};
  Tensor operator()(const Tensor& source, const Tensor& target) const {
    const std::vector<int64_t> lengths{6, 4};
    const translate::Memory memory = model.encode({source, Mask::lengths(lengths, 6)}, nullptr);
    return model.decode(model.target_embedding(target), memory, nullptr);
  }
  void parameters(auto&& visit) { visit("model", model); }
};

/// Self-attention whose heads look nowhere but at what came before, in a padded batch.
struct SelfAttender {
  MultiHeadAttention attention{6, 2, generator};
  AttentionOutput operator()(const Tensor& x) const {
    const std::vector<int64_t> lengths{5, 3};
    return attention(x, x, x, Mask::lengths(lengths, 5) & Mask::causal(5, 5));
  }
  void parameters(auto&& visit) { visit("attention", attention); }
};

/// A focus whose place the query predicts, beside heads that attend in tiles, windows and blocks.
struct LocalAttender {
  Attention predicted{Score::general, 6, 6, generator, {.focus = Focus::local_p, .window = 2}};
  MultiHeadAttention tiled{6, 2, generator, {.attend = TiledAttention{}}},
      window{6, 3, generator, {.attend = SlidingWindow{2, 1}}},
      chain{6,
            2,
            generator,
            {.attend = BlockAttention{2, {.causal = true, .attend = ScaledDotAttention{}}}}};
  Tensor operator()(const Tensor& x) const {
    const Tensor y = x + predicted(x, x, x).output, z = y + tiled(y, y, y).output;
    return chain(z, z, z).output + window(z, z, z).output;
  }
  void parameters(auto&& visit) {
    visit("predicted", predicted), visit("tiled", tiled);
    visit("window", window), visit("chain", chain);
  }
};

/// A Transformer that says for each place of a target what comes next there.
struct Transformer {
  Embedding words{9, 8, generator};
  std::vector<TransformerEncoderLayer> encoder{{8, 2, generator}, {8, 4, generator}};
  std::vector<TransformerDecoderLayer> decoder{{8, 2, generator},
                                               {8, 2, generator, {.norm_first = false}}};
  LayerNorm encoded{8}, decoded{8};
  Dense logits{8, 9, generator};

  Tensor embed(const Tensor& ids) const {
    return words(ids) * std::sqrt(8.0) + sinusoidal_positions(ids.size(1), 8);
  }
  Tensor operator()(const Tensor& source, const Tensor& target) const {
    const std::vector<int64_t> lengths{7, 4};
    const Mask mask = Mask::lengths(lengths, source.size(1));
    const Mask causal = Mask::causal(target.size(1), target.size(1));
    Tensor x = embed(source), y = embed(target);
    for (const auto& layer : encoder) x = layer(x, mask);
    x = encoded(x);
    for (const auto& layer : decoder)
      y = layer(y, layer.prepare(y), causal, layer.cross.prepare(x, x, mask), mask).output;
    return log_softmax(logits(decoded(y)));
  }
  void parameters(auto&& visit) {
    visit("words", words), visit("encoder", encoder), visit("decoder", decoder);
    visit("encoded", encoded), visit("decoded", decoded), visit("logits", logits);
  }
};

/// Answers a question about three sentences and one about two, padded: a network of examples/answer
/// over a vocabulary of 5.
template <class Network>
struct Answerer {
  Network network;
  auto operator()(const answer::Bags& story, const answer::Bags& question) const {
    return network(story, question, Mask::lengths(std::vector<int64_t>{3, 2}, 3));
  }
  void parameters(auto&& visit) { visit("network", network); }
};

/// Each query has one key to attend to: the weights are 1.
struct OneKey {
  MultiHeadAttention attention{6, 2, generator};
  AttentionOutput operator()(const Tensor& query, const Tensor& key) const {
    return attention(query, key, key);
  }
  void parameters(auto&& visit) { visit("attention", attention); }
};

/// Parameters with the names of other values.
struct Clashing {
  Tensor input = parameter(), result = parameter(), node = parameter(), constant = parameter();
  Tensor operator()(const Tensor& x) const {
    return matmul(matmul(x, input) / 2 + matmul(x, result), node) - matmul(x, constant);
  }
  void parameters(auto&& visit) {
    visit("input_0", input), visit("output_0", result);
    visit("matmul_1", node), visit("constant_0", constant);
  }
  static Tensor parameter() { return random_normal({3, 3}, 0, 1, generator).require_grad(); }
};

/// An op of its own, with an attribute, which is one operator of ONNX.
Tensor leaky_relu(const Tensor& x, double slope) {
  Tensor y = Tensor::uninitialised(x.shape(), x.dtype());
  std::span<float> values = y.mutable_span<float>();
  const std::span<const float> given = x.span<float>();
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = given[i] * (given[i] < 0 ? static_cast<float>(slope) : 1);
  return record(
      {"leaky_relu", "x where x > 0, slope · x elsewhere", {{"g or slope · g", reads("x")}}}, y,
      {x},
      [slope](const Backward& b) {
        return std::vector<Gradient>{where(greater(b.input(0), 0), 1, slope) * b.gradient};
      },
      [slope](const auto& x) { return leaky_relu(x[0], slope); },
      [=] {
        return Attributes{{"slope", slope}};
      });
}

/// One op or two of each kind.
std::pair<Tensor, Tensor> all_kinds(const Tensor& a, const Tensor& b) {
  const Tensor c = concat({a, slice(b, 1, 0, 6, 2)}, 0), d = permute(unsqueeze(c, 1), {2, 0, 1});
  const Tensor e = pad(expand(d, {3, 4, 2}), 1, 1, 2, -0.5);
  const Tensor f = where(greater(e, 0), sqrt(abs(e)), minimum(sin(e), cos(e)));
  const Tensor g = softplus(f) - pow(abs(f) + 1, 1.5) + erf(f) / exp(f) + relu(e) * log(abs(e) + 2);
  const Tensor h =
      softmax(g, 1) + logsumexp(g, {0}) + max(g, {1, 2}, keepdims) + mean(g, {0, 2}, keepdims);
  const Tensor y = matmul(h, transpose(h)) + var(h, {}, false, 0) * equal(e, e).size(0) +
                   silu(sum(h, {2}, keepdims));
  return {y, argmax(y, 1)};
}

Tensor words(const Shape& shape) {
  std::vector<int64_t> ids(static_cast<size_t>(shape.numel()));
  for (int64_t& id : ids) id = generator.below(9);
  return tensor(ids, shape);
}
Tensor normal(const Shape& shape) { return random_normal(shape, 0, 1, generator); }

}  // namespace

int main(int count, char** arguments) {
  const std::filesystem::path folder =
      count > 1 ? arguments[1] : fmt::format("onnx_models.{}", getpid());
  std::filesystem::create_directories(folder);
  std::filesystem::current_path(folder);

  Tagger tagger;
  Adam adam(parameters(tagger), {.learning_rate = 0.02});
  for (int step = 0; step < 50; ++step) {  // tag each word with its number modulo 5
    const Tensor ids = words({8, 6});
    std::vector<int64_t> tags = ids.to_vector<int64_t>();
    for (int64_t& tag : tags) tag %= 5;
    const Tensor loss =
        -mean(take_along_axis(tagger(ids), unsqueeze(tensor(tags, ids.shape()), -1), -1));
    adam.zero_grad();
    loss.backward();
    adam.step();
  }
  write(
      "tagger", tagger,
      [] {
        return std::tuple(words({2, 6}));
      },
      words({2, 6}));

  Attender attender;
  auto draw = [] { return std::tuple(normal({2, 3, 6}), normal({2, 4, 4})); };
  write("attention", attender, draw, normal({2, 3, 6}), normal({2, 4, 4}));

  Copier copier;
  auto draw_copied = [] { return std::tuple(normal({2, 2, 6}), normal({2, 4, 4}), words({2, 4})); };
  write("copy", copier, draw_copied, normal({2, 2, 6}), normal({2, 4, 4}), words({2, 4}));

  GNMT gnmt;
  auto draw_pairs = [] { return std::tuple(words({2, 6}), words({2, 3})); };
  write("gnmt", gnmt, draw_pairs, words({2, 6}), words({2, 3}));

  SelfAttender self_attender;
  auto draw_one = [] { return std::tuple(normal({2, 5, 6})); };
  write("multi_head", self_attender, draw_one, normal({2, 5, 6}));
  LocalAttender local_attender;
  write("local", local_attender, draw_one, normal({2, 5, 6}));

  Transformer transformer;
  Adam adam_of_transformer(parameters(transformer), {.learning_rate = 0.01});
  for (int step = 0; step < 50; ++step) {  // say the word before
    const Tensor ids = words({2, 7});
    const Tensor loss =
        cross_entropy(transformer(ids, slice(ids, 1, 1, 5)), contiguous(slice(ids, 1, 0, 4)));
    adam_of_transformer.zero_grad();
    loss.backward();
    adam_of_transformer.step();
  }
  write(
      "transformer", transformer,
      [] {
        return std::tuple(words({2, 7}), words({2, 4}));
      },
      words({2, 7}), words({2, 4}));

  OneKey one_key;
  write(
      "one_key", one_key,
      [] {
        return std::tuple(normal({2, 3, 6}), normal({2, 1, 6}));
      },
      normal({2, 3, 6}), normal({2, 1, 6}));

  const auto draw_story = [] {
    return std::tuple(answer::Bags{normal({2, 3, 5}), normal({2, 3, 5})},
                      answer::Bags{normal({2, 5}), normal({2, 5})});
  };
  const auto [story, question] = draw_story();
  Answerer<answer::MemoryNetwork> memory{{5, {.size = 4, .hops = 2, .memory = 3}, generator}};
  write("memory_network", memory, draw_story, story, question);
  Answerer<answer::ReductionNetwork> reduction{{5, {.size = 4, .hops = 2}, generator}};
  write("reduction_network", reduction, draw_story, story, question);

  const auto mixed = [](const Tensor& a, const Tensor& b, const Tensor& c) {
    return a * b - 2 * c;
  };
  const Tensor same = normal({2, 3});
  auto draw_three = [] { return std::tuple(normal({2, 3}), normal({2, 3}), normal({2, 3})); };
  write("one_tensor_for_three_inputs", mixed, draw_three, same, same, same);

  Clashing clashing;
  write(
      "clashing_names", clashing,
      [] {
        return std::tuple(normal({2, 3}));
      },
      normal({2, 3}));

  const auto own = [](const Tensor& x) { return leaky_relu(x - 0.5, 0.25) * 3; };
  write_with(
      {{"leaky_relu", {"LeakyRelu", {{"slope", "alpha"}}}}}, "own_op", own,
      [] {
        return std::tuple(normal({2, 3}));
      },
      normal({2, 3}));

  auto draw_two = [] { return std::tuple(normal({2, 3}), normal({2, 7})); };
  write("all_kinds", all_kinds, draw_two, normal({2, 3}), normal({2, 7}));

  write_ops();
  if (count < 2) std::filesystem::current_path(".."), std::filesystem::remove_all(folder);
}
