#include <doctest/doctest.h>

#include <cstring>

#include "core/tensor/processor.h"
#include "core/tensor/threads.h"
#include "tests/program.h"
#include "tests/translate/toy.h"

using namespace gradus;
using namespace gradus::translate;
using gradus::testing::contents;
using gradus::testing::Folder;
using gradus::testing::run;
using gradus::testing::write;

namespace {

constexpr int64_t source_tokens = 40, target_tokens = 300;

/// A model of each attention, and a Transformer.
std::vector<ModelOptions> all_kinds(int64_t hidden) {
  std::vector<ModelOptions> kinds;
  for (const auto& [name, attention] : attentions)
    kinds.push_back({.embedding = 24, .hidden = hidden, .attention = attention, .window = 3});
  kinds.push_back({.hidden = hidden, .layers = 2, .architecture = Architecture::transformer});
  kinds.push_back({.hidden = hidden,
                   .layers = 2,
                   .architecture = Architecture::transformer,
                   .tied = Tied::output});
  kinds.push_back(
      {.embedding = 24, .hidden = hidden, .layers = 3, .architecture = Architecture::gnmt});
  return kinds;
}

std::string name_of(const ModelOptions& o) {
  return name_among(architectures, o.architecture) + ", " + name_among(attentions, o.attention);
}

Translator make(const ModelOptions& options) {
  Generator generator(3);
  Translator model(source_tokens, target_tokens, options, generator);
  toy::make_decided(model, 4);
  return model;
}

/// Sentences of 1 to 12 tokens.
std::vector<Example> sentences(int64_t count) {
  Generator generator(5);
  std::vector<Example> examples(static_cast<size_t>(count));
  auto draw = [&](std::vector<int64_t>& side, int64_t vocabulary) {
    for (int64_t n = 1 + generator.below(12); n > 0; --n)
      side.push_back(unk_id + 1 + generator.below(vocabulary - unk_id - 1));
  };
  for (Example& example : examples) {
    draw(example.source, source_tokens);
    draw(example.target, target_tokens);
  }
  return examples;
}

/// The batch with so many more columns of padding.
Batch padded(const std::vector<Example>& examples, int64_t more) {
  Batch batch = make_batch(examples);
  const std::span<const int64_t> lengths = batch.source.mask.lengths();
  batch.source.mask =
      Mask::lengths({lengths.begin(), lengths.end()}, batch.source.ids.size(1) + more);
  for (Tensor* ids : {&batch.source.ids, &batch.target_in, &batch.target_out})
    *ids = pad(*ids, 1, 0, more, pad_id);
  return batch;
}

Tensor logits(const Translator& model, const Batch& batch) {
  const NoGrad pause;
  return std::visit([&](const auto& of) { return of.logits(batch, nullptr); }, model.model);
}

bool is_skipped() {
  if (!reproducible())
    MESSAGE("skipped: this processor has no AVX2, or OpenBLAS computes products");
  return !reproducible();
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const std::vector<float> x = a.to_vector<float>(), y = b.to_vector<float>();
  return a.shape() == b.shape() && std::memcmp(x.data(), y.data(), 4 * x.size()) == 0;
}

}  // namespace

TEST_CASE(
    "a sentence has the same logits, bit for bit, alone and in a batch of 100, however padded") {
  if (is_skipped()) return;
  const std::vector<Example> examples = sentences(100);
  for (const ModelOptions& options : all_kinds(32)) {
    CAPTURE(name_of(options));
    const Translator model = make(options);
    const Tensor together = logits(model, padded(examples, 0)),
                 with_more = logits(model, padded(examples, 50));
    for (const int64_t i : {0, 1, 42, 99}) {
      CAPTURE(i);
      const auto length = std::ssize(examples[static_cast<size_t>(i)].target) + 1;
      const Tensor alone = logits(model, padded({examples[static_cast<size_t>(i)]}, 0))[0];
      CHECK(same_bits(alone, together[{i, range(0, length)}]));
      CHECK(same_bits(alone, with_more[{i, range(0, length)}]));
    }
  }
}

TEST_CASE("the gradients of a batch are the same bits for 1, 2, 3 and 7 threads") {
  if (is_skipped()) return;
  const Batch batch = make_batch(sentences(64));
  const int before = threads();
  for (const ModelOptions& options : all_kinds(96)) {
    CAPTURE(name_of(options));
    Translator model = make(options);
    const std::vector<Tensor> weights = parameters(model);
    std::vector<Tensor> expected;
    for (const int count : {1, 2, 3, 7}) {
      CAPTURE(count);
      set_threads(count);
      const std::vector<Tensor> gradients = grad({model.loss(batch)}, weights);
      if (count == 1) expected = gradients;
      for (size_t i = 0; i < weights.size(); ++i) {
        CAPTURE(weights[i].name());
        CHECK(same_bits(gradients[i], expected[i]));
      }
    }
  }
  set_threads(before);
}

TEST_CASE("a seed gives the same model file for any number of threads and instruction set") {
  if (is_skipped()) return;
  const Folder folder;
  std::string text;
  for (const Pair& pair : toy::pairs()) text += pair.source + "\t" + pair.target + "\n";
  write(folder / "pairs.tsv", text);
  std::vector<std::string> kernels{"avx2"};
  if (gradus::kernels() == "avx512") kernels.push_back("avx512");
  for (const char* model :
       {"--hidden 160 --embedding 72 --dropout 0.1", "--architecture transformer --hidden 96"}) {
    std::string expected;
    for (const std::string& set : kernels)
      for (const int count : {1, 2, 3}) {
        const std::string name = set + std::to_string(count);
        CAPTURE(model);
        CAPTURE(name);
        const auto result = run(
            folder, "GRADUS_KERNELS=" + set +
                        " $translate train --train pairs.tsv --valid pairs.tsv --epochs 2 --batch "
                        "32 --min-count 1 --seed 7 --model " +
                        name + " --threads " + std::to_string(count) + " " + model);
        REQUIRE_MESSAGE(result.status == 0, result.err);
        const std::string file = contents(folder / name);
        if (expected.empty()) expected = file;
        CHECK(file == expected);
      }
  }
}

TEST_CASE("the README shows the checksum of the model that two epochs make") {
  if (is_skipped()) return;
  const Folder folder;
  const auto result =
      run(folder, "$translate --epochs 2 --model model >log 2>&1 && sha256sum model");
  REQUIRE(result.status == 0);
  for (const std::string readme : {"README.md", "README.zh.md"})
    CHECK_MESSAGE(contents(GRADUS_TEST_DATA "/../" + readme).find(result.out) != std::string::npos,
                  result.out);
}
