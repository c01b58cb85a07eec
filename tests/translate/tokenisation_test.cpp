#include "examples/translate/tokenisation.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "examples/training/text.h"
#include "examples/translate/metrics.h"

using namespace gradus::translate;

namespace {

nlohmann::json golden() {
  std::ifstream file(std::string(GRADUS_TEST_DATA) + "/translate/golden/tokenisations.json");
  REQUIRE(file);
  return nlohmann::json::parse(file);
}

}  // namespace

TEST_CASE("lines are cut as sacrebleu cuts them") {
  const auto stored = golden();
  const auto lines = stored.at("lines").get<std::vector<std::string>>();
  REQUIRE(lines.size() > 20);
  for (const auto& [name, tokens] : stored.at("tokens").items())
    for (size_t i = 0; i < lines.size(); ++i) {
      CAPTURE(name);
      CAPTURE(lines[i]);
      CHECK(tokenised(lines[i], tokenisations.at(name)) ==
            tokens.at(i).get<std::vector<std::string>>());
    }
}

TEST_CASE("BLEU of whole lines agrees with sacrebleu in each of its tokenisations") {
  const auto stored = golden();
  for (const auto& score : stored.at("scores")) {
    CAPTURE(score.dump());
    const auto tokenisation = tokenisations.at(score.at("tokenisation").get<std::string>());
    const auto cut = [&](const char* side) {
      Sentences sentences;
      for (std::string line : stored.at(side).get<std::vector<std::string>>()) {
        if (score.at("lower_case").get<bool>()) line = gradus::training::in_lower_case(line);
        sentences.push_back(tokenised(line, tokenisation));
      }
      return sentences;
    };
    CHECK(std::abs(bleu(cut("hypotheses"), cut("references")) - score.at("bleu").get<double>()) <
          1e-5);
  }
}

TEST_CASE("the tokens of a model are not a matter of sacrebleu's") {
  CHECK_THROWS_AS(tokenised("a", Tokenisation::own), std::invalid_argument);
  CHECK_THROWS_AS(tokenised("\xFF", Tokenisation::v13a), std::invalid_argument);
}
