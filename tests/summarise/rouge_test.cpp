#include "examples/summarise/rouge.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/files.h"

using namespace gradus::summarise;

TEST_CASE("ROUGE-1, 2 and L are those of Google's rouge-score") {
  const auto cases = nlohmann::json::parse(
      gradus::testing::contents(GRADUS_TEST_DATA "/summarise/golden/rouge.json"));
  REQUIRE(cases.size() == 37);
  for (const auto& stored : cases) {
    const std::string reference = stored["reference"], candidate = stored["candidate"];
    CAPTURE(reference);
    CAPTURE(candidate);
    const Words a = rouge_words(reference), b = rouge_words(candidate);
    CHECK(rouge_n(a, b, 1) == doctest::Approx(stored["rouge1"]).epsilon(1e-5));
    CHECK(rouge_n(a, b, 2) == doctest::Approx(stored["rouge2"]).epsilon(1e-5));
    CHECK(rouge_l(a, b) == doctest::Approx(stored["rougeL"]).epsilon(1e-5));
  }
}

TEST_CASE("a script without spaces is compared by its characters") {
  CHECK(rouge_words("小明在厨房") == Words{"小", "明", "在", "厨", "房"});
  CHECK(rouge_l(rouge_words("小明在厨房"), rouge_words("小明去厨房")) == doctest::Approx(0.8));
}

TEST_CASE("a repeated trigram is one that has occurred before") {
  const auto of = [](const std::string& text) { return repeated(rouge_words(text), 3); };
  CHECK(of("a b c d").again == 0);
  CHECK(of("a b c d").all == 2);
  CHECK(of("a b c a b c a b c").again == 4);  // of 7 there are 3 different ones
  CHECK(of("a a a a").again == 1);
  CHECK(of("a b").all == 0);
}
