#include "examples/translate/metrics.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

using namespace gradus::translate;

namespace {

Sentences split(const std::vector<std::string>& lines) {
  Sentences result;
  for (const auto& line : lines) {
    std::istringstream in(line);
    result.emplace_back();
    for (std::string token; in >> token;) result.back().push_back(token);
  }
  return result;
}

}  // namespace

TEST_CASE("BLEU and chrF agree with sacrebleu on the stored cases") {
  std::ifstream file(std::string(GRADUS_TEST_DATA) + "/translate/golden/sacrebleu.json");
  REQUIRE(file);
  const auto golden = nlohmann::json::parse(file);
  REQUIRE(golden.at("cases").size() > 20);
  for (const auto& item : golden.at("cases")) {
    CAPTURE(item.at("name").get<std::string>());
    const auto quality = evaluate(split(item.at("hypotheses").get<std::vector<std::string>>()),
                                  split(item.at("references").get<std::vector<std::string>>()));
    CHECK(std::abs(quality.bleu - item.at("bleu").get<double>()) < 1e-5);
    CHECK(std::abs(quality.chrf - item.at("chrf").get<double>()) < 1e-5);
  }
}

TEST_CASE("exact match is the per cent of hypotheses that equal their reference") {
  const Sentences references = split({"a b", "c", "d e", ""});
  CHECK(exact_match(references, references) == 100);
  CHECK(exact_match(split({"a b", "c c", "e d", ""}), references) == 50);
  CHECK(exact_match(split({"b", "d", "", "a"}), references) == 0);
  CHECK(exact_match(split({"ab"}), split({"a b"})) == 0);
}

TEST_CASE("an empty corpus scores zero and not NaN") {
  const auto quality = evaluate({}, {});
  CHECK(quality.bleu == 0);
  CHECK(quality.chrf == 0);
  CHECK(quality.exact_match == 0);
}

TEST_CASE("a missing hypothesis is an error that says both numbers") {
  CHECK_THROWS_WITH_AS(evaluate(split({"a"}), split({"a", "b"})),
                       "evaluate: 1 hypotheses for 2 references; give one reference per hypothesis",
                       std::invalid_argument);
}
