#include "examples/translate/model.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tests/translate/toy.h"

using namespace gradus;
using namespace gradus::translate;

namespace {

constexpr int64_t source_tokens = 9, target_tokens = 8;

const std::vector<Example> examples = {
    {{4, 5, 6, 7, 8}, {4, 5, 6}}, {{5}, {7, 4}}, {{8, 4, 3}, {}}, {{6, 6}, {5, 5, 7, 3, 4}}};

/// Every attention, with and without input feeding, bidirectional, of two layers; then
/// Transformers and GNMT.
std::vector<ModelOptions> all_kinds() {
  std::vector<ModelOptions> kinds;
  for (const auto& [name, attention] : attentions)
    for (const bool feeding : {false, true})
      for (const bool bidirectional : {false, true})
        for (const int layers : {1, 2})
          kinds.push_back({.embedding = 6,
                           .hidden = 8,
                           .layers = layers,
                           .bidirectional = bidirectional,
                           .attention = attention,
                           .input_feeding = feeding,
                           .window = 2});
  for (const bool norm_first : {false, true})
    for (const int layers : {1, 2})
      kinds.push_back({.hidden = 8,
                       .layers = layers,
                       .architecture = Architecture::transformer,
                       .heads = 2,
                       .norm_first = norm_first});
  kinds.push_back(
      {.hidden = 8, .architecture = Architecture::transformer, .heads = 2, .tied = Tied::output});
  for (const int layers : {1, 2, 4})
    kinds.push_back(
        {.embedding = 6, .hidden = 8, .layers = layers, .architecture = Architecture::gnmt});
  return kinds;
}

std::string name_of(const ModelOptions& o) {
  return name_among(architectures, o.architecture) + ", " + name_among(attentions, o.attention) +
         (o.input_feeding ? ", input feeding" : "") + (o.bidirectional ? ", bidirectional" : "") +
         (o.layers > 1 ? ", two layers" : "") + (o.norm_first ? ", norm first" : "");
}

Translator make(const ModelOptions& options) {
  Generator generator(3);
  Translator model(source_tokens, target_tokens, options, generator);
  toy::make_decided(model, 4);
  return model;
}

/// Σ −log p of one sentence, a step at a time, alone in its batch.
double loss_by_steps(const Translator& model, const Example& example) {
  const Memory memory = model.encode(pad_sequences({example.source}, pad_id));
  DecoderState state = model.first_state(memory);
  double loss = 0;
  int64_t before = bos_id;
  for (size_t t = 0; t <= example.target.size(); ++t) {
    const DecoderStep step = model.step(tensor(std::vector<int64_t>{before}, {1}), state, memory);
    const int64_t expected = t < example.target.size() ? example.target[t] : eos_id;
    loss -= log_softmax(step.logits).to_vector<double>()[static_cast<size_t>(expected)];
    state = step.state;
    before = expected;
  }
  return loss;
}

}  // namespace

TEST_CASE("the loss of a padded batch is the sum of −log p of its sentences, step by step") {
  for (const ModelOptions& options : all_kinds()) {
    CAPTURE(name_of(options));
    const Translator model = make(options);
    double one_by_one = 0, by_steps = 0;
    for (const Example& example : examples) {
      one_by_one += model.loss(make_batch({example})).item();
      by_steps += loss_by_steps(model, example);
    }
    const double together = model.loss(make_batch(examples)).item();
    CHECK(together == doctest::Approx(by_steps).epsilon(1e-5));
    CHECK(together == doctest::Approx(one_by_one).epsilon(1e-5));
  }
}

TEST_CASE("more padding changes no bit of the loss") {
  for (const ModelOptions& options : all_kinds()) {
    CAPTURE(name_of(options));
    const Translator model = make(options);
    Batch batch = make_batch(examples);
    const double before = model.loss(batch).item();
    batch.source.ids = pad(batch.source.ids, 1, 0, 3, pad_id);
    CHECK(model.loss(batch).item() == before);
  }
}

TEST_CASE("the gradient reaches every parameter") {
  for (const ModelOptions& options : all_kinds()) {
    CAPTURE(name_of(options));
    Translator model = make(options);
    model.loss(make_batch(examples)).backward();
    for_each_parameter(model, [](const std::string& name, Tensor& parameter) {
      CAPTURE(name);
      REQUIRE(parameter.grad().defined());
      CHECK(sum(abs(parameter.grad())).item() > 0);
    });
  }
}

TEST_CASE("the gradient is that of finite differences in float64, in a direction per parameter") {
  const Batch batch = make_batch(examples);
  for (const ModelOptions& options : all_kinds()) {
    CAPTURE(name_of(options));
    Translator model = make(options);
    for_each_parameter(model, [](const std::string&, Tensor& parameter) {
      parameter = cast(parameter.detach(), DType::float64).require_grad();
    });
    model.loss(batch).backward();
    Generator generator(5);
    for_each_parameter(model, [&](const std::string& name, Tensor& parameter) {
      const NoGrad pause;
      CAPTURE(name);
      const double h = 1e-5;
      const Tensor direction = random_uniform(parameter.shape(), -1, 1, generator, DType::float64);
      const Tensor value = parameter.detach() + 0.0;
      parameter.assign(value + h * direction);
      const double above = model.loss(batch).item();
      parameter.assign(value - h * direction);
      const double below = model.loss(batch).item();
      parameter.assign(value);
      CHECK(sum(parameter.grad() * direction).item() ==
            doctest::Approx((above - below) / (2 * h)).epsilon(1e-6));
    });
  }
}

TEST_CASE(
    "embeddings start within ±0.5, weights within ±0.08, biases at 0 but at 1 for forget gates") {
  Generator generator(1);
  Translator model(source_tokens, target_tokens, {6, 8, 2, true}, generator);
  for_each_parameter(model, [](const std::string& name, Tensor& parameter) {
    CAPTURE(name);
    CHECK(parameter.requires_grad());
    const std::vector<double> values = parameter.to_vector<double>();
    if (parameter.rank() > 1) {
      const double bound = name.ends_with("embedding.weight") ? 0.5 : 0.08;
      const auto [least, most] = std::ranges::minmax(values);
      CHECK(least >= -bound);
      CHECK(most <= bound);
      CHECK(most - least > bound);
      CHECK(std::set(values.begin(), values.end()).size() > values.size() / 2);
    } else {
      const size_t gate = values.size() / 4;
      const bool of_lstm = name.find("coder") != name.npos;
      for (size_t i = 0; i < values.size(); ++i)
        CHECK(values[i] == (of_lstm && i / gate == 1 ? 1 : 0));
    }
  });
}

TEST_CASE("dropout changes the loss by its generator alone, and is off without one") {
  const Batch batch = make_batch(examples);
  ModelOptions options{6, 8, 2};
  const double plain = make(options).loss(batch).item();
  options.dropout = 0.3;
  const Translator model = make(options);
  Generator a(1), b(1), c(2);
  const double dropped = model.loss(batch, &a).item();
  CHECK(model.loss(batch).item() == plain);
  CHECK(dropped != plain);
  CHECK(dropped == model.loss(batch, &b).item());
  CHECK(dropped != model.loss(batch, &c).item());
}

TEST_CASE("label smoothing is for training alone") {
  const Batch batch = make_batch(examples);
  for (const Architecture architecture : {Architecture::lstm, Architecture::transformer}) {
    ModelOptions options{.hidden = 8, .architecture = architecture, .label_smoothing = 0.1};
    const Translator smoothed = make(options);
    Generator generator(1);
    options.label_smoothing = 0;
    const double plain = make(options).loss(batch).item();
    CHECK(smoothed.loss(batch).item() == plain);
    CHECK(make(options).loss(batch, &generator).item() == plain);
    CHECK(smoothed.loss(batch, &generator).item() != plain);
  }
}

TEST_CASE("heads that do not divide the hidden size are refused, with those that do") {
  for (const Architecture architecture : {Architecture::lstm, Architecture::transformer}) {
    const std::string error = toy::error_of([&] {
      make({.hidden = 8,
            .attention = AttentionKind::multi_head,
            .architecture = architecture,
            .heads = 3});
    });
    CHECK(error.find("expected heads that divide the size 8 (1, 2, 4, 8), got 3") !=
          std::string::npos);
  }
}

TEST_CASE("a bidirectional encoder of an odd hidden size is refused") {
  CHECK(toy::error_of([] { make({6, 7, 1, true}); }).find("even hidden size") != std::string::npos);
}
