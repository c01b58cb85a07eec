#include "examples/summarise/pointer_generator.h"

#include "core/autograd/autograd.h"
#include "core/functions/softmax.h"
#include "examples/summarise/bulletins.h"
#include "examples/summarise/summariser.h"
#include "tests/layers/layer_check.h"

using namespace gradus;
using namespace gradus::summarise;
using namespace gradus::testing;
using namespace gradus::training;

namespace {

const Vocabulary vocabulary = Vocabulary::of_texts({"a b c d"}, Unit::words, 1);
const int64_t known = vocabulary.size();

Encoded encoded(const std::string& text, const std::string& summary) {
  return Encoded({text, summary}, vocabulary, 100, 100);
}

PointerGenerator network(const PointerOptions& options) {
  Generator generator(3);
  return PointerGenerator(known, options, generator);
}

const std::vector<PointerOptions> variants{
    {.embedding = 3, .hidden = 4, .copy = false, .coverage = false},
    {.embedding = 3, .hidden = 4, .coverage = false},
    {.embedding = 3, .hidden = 4}};

}  // namespace

TEST_CASE("words that the vocabulary does not hold have ids of their own in each article") {
  const Encoded article = encoded("x a y x", "y b z");
  CHECK(article.unknown == std::vector<std::string>{"x", "y"});
  const int64_t a = vocabulary.id("a"), b = vocabulary.id("b");
  CHECK(article.source == std::vector{known, a, known + 1, known});
  CHECK(article.target == std::vector{known + 1, b, unk_id, eos_id});  // z is nowhere
  const Encoded cut({"x a y x", "y b z"}, vocabulary, 2, 1);
  CHECK(cut.source == std::vector{known, a});
  CHECK(cut.target == std::vector{unk_id, eos_id});  // y is in what was left out

  const Encoded other = encoded("a", "a");
  const Batch batch({&article, &other}, known);
  CHECK(batch.words == known + 2);
  CHECK(batch.source.ids.shape() == Shape{2, 4});
  CHECK(batch.target.mask.lengths()[1] == 2);
}

TEST_CASE("gradients of a pointer-generator match finite differences") {
  const Encoded one = encoded("x a y x c", "y b x"), two = encoded("d z", "z");
  const Batch batch({&one, &two}, known);
  for (const PointerOptions& options : variants) {
    PointerGenerator net = as_float64(network(options));
    for_each_parameter(net,
                       [](const std::string&, Tensor& x) { x = (x * 2).detach().require_grad(); });
    std::vector<Tensor> inputs = parameters(net);
    const auto mismatch = first_order_mismatch(
        [&](const std::vector<Tensor>&) {
          const Losses losses = net.losses(batch);
          return losses.coverage.defined() ? losses.words + losses.coverage : losses.words;
        },
        inputs);
    CAPTURE(mismatch.text());
    CHECK(mismatch.tolerances <= 1);
  }
}

TEST_CASE("the loss of a batch is that of its articles one by one") {
  const Encoded one = encoded("x a y x c", "y b x"), two = encoded("d z", "z");
  for (const PointerOptions& options : variants) {
    const PointerGenerator net = network(options);
    const Losses both = net.losses(Batch({&one, &two}, known));
    const Losses first = net.losses(Batch({&one}, known)),
                 second = net.losses(Batch({&two}, known));
    CHECK(both.words.item() ==
          doctest::Approx(first.words.item() + second.words.item()).epsilon(1e-6));
    if (options.coverage)
      CHECK(both.coverage.item() ==
            doctest::Approx(first.coverage.item() + second.coverage.item()).epsilon(1e-6));
  }
}

TEST_CASE("what is written has the probability that training gives it") {
  // Greedy writing chooses at each step the word that makes the loss of a summary of it smallest.
  const Encoded article = encoded("x a y b", "");
  const PointerGenerator net = network(variants[2]);
  Tensor bias = net.output.bias.detach();
  slice(bias, 0, eos_id, eos_id + 1).assign(full({1}, -20));  // so that it does not end at once
  const std::vector<Summary> written = net.write(Batch({&article}, known), 3);
  REQUIRE(written[0].ids.size() == 3);
  const auto loss_of = [&](std::vector<int64_t> ids) {
    Encoded with = article;
    with.target = std::move(ids);
    return net.losses(Batch({&with}, known)).words.item();
  };
  for (int64_t id = unk_id + 1; id < known + 2; ++id)
    CHECK(loss_of({id}) >= loss_of({written[0].ids[0]}));
  for (int64_t id = unk_id + 1; id < known + 2; ++id)
    CHECK(loss_of({written[0].ids[0], id}) >= loss_of({written[0].ids[0], written[0].ids[1]}));
  CHECK(written[0].looked[0].size() == 4);
}

TEST_CASE("figures of summaries: names in their order, trigrams that come again") {
  const std::vector<Article> articles{{"x met y .", "a x b y"}, {"z", "z a"}};
  const auto names = [&](const std::string& first, const std::string& second) {
    return scores(articles, {first, second}, vocabulary).names;
  };
  CHECK(names("a x b y", "z") == doctest::Approx(100));
  CHECK(names("y x", "a") == doctest::Approx(100.0 / 3));
  CHECK(names("a b", "a") == 0);
  CHECK(scores(articles, {"a x b y", "z a"}, vocabulary).rouge_l == doctest::Approx(100));
  CHECK(scores(articles, {"a b a b a", "a"}, vocabulary).repeated == doctest::Approx(100.0 / 3));
  CHECK(first_sentence("One. Two. Three.") == "One.");
  CHECK(first_sentence("3.5 percent! Yes.") == "3.5 percent!");
  CHECK(first_sentence("一。二。") == "一。");
  CHECK(first_sentence("no end") == "no end");
}

TEST_CASE("a pointer-generator refuses an odd hidden size") {
  CHECK_THROWS_WITH_AS(network({.hidden = 5}), doctest::Contains("expected an even hidden size"),
                       Error);
}
