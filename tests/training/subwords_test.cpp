#include "examples/training/subwords.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "examples/training/text.h"
#include "examples/training/vocabulary.h"

using namespace gradus::training;
using Ids = std::vector<std::int64_t>;
using Tokens = std::vector<std::string>;

namespace {

const std::vector<std::string> texts = {"The lower the better.",
                                        "Newer and newer, wider and wider!",
                                        "He is the newest of them.",
                                        "The widest river is the lowest.",
                                        "low lower lowest new newer newest wide wider widest",
                                        "A well-known bird, isn't it?",
                                        "你好，世界！",
                                        "你好，你好。世界真大。"};

Vocabulary vocabulary(const SubwordOptions& options = {.size = 80}) {
  return Vocabulary(Subwords(texts, options));
}

std::string error_of(auto&& f) {
  try {
    f();
    return "";
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("subwords read as they were written, in BPE and by a unigram model") {
  for (const auto& [name, kind] : subword_kinds) {
    CAPTURE(name);
    const Vocabulary v = vocabulary({.size = 80, .kind = kind, .min_count = 1});
    CHECK(v.unit() == Unit::subwords);
    CHECK(v.size() <= 80);
    CHECK(v.size() > 40);
    CHECK(v.token(pad_id) == "<pad>");
    CHECK(v.token(unk_id) == "<unk>");
    for (const std::string& text : texts) CHECK(v.decode_text(v.encode_text(text)) == text);
    const Ids ids = v.encode_text("the newest lower");
    CHECK(ids == v.encode(v.tokens("the newest lower")));
    CHECK(ids.size() < 16);
    CHECK(join(v.tokens("the newest lower"), Unit::subwords) == "the newest lower");
  }
}

TEST_CASE("a frequent word is one piece, and a rare one is several") {
  const Vocabulary v = vocabulary({.size = 120});
  CHECK(v.tokens("lowest") == Tokens{"▁lowest"});
  CHECK(v.tokens("slowest").size() > 1);
  CHECK(v.tokens(" \u200B").empty());
}

TEST_CASE("texts that look the same have the same subwords") {
  const Vocabulary v = vocabulary({.size = 80, .min_count = 1});
  const Ids ids = v.encode_text("The lower, the better!");
  for (const std::string text :
       {"The  lower,\u00A0the better!", "The lo\u200Bwer, the be\u00ADtter!",
        "\uFEFFＴｈｅ lower, the better! "})
    CHECK(v.encode_text(text) == ids);
  CHECK(v.encode_text("你好!") == v.encode_text("你好！"));
  CHECK(v.decode_text(v.encode_text("你好, 世界!")) == "你好， 世界！");
}

TEST_CASE("a run of characters that are unknown is one <unk>, which tells what it was") {
  const Vocabulary v = vocabulary();
  const Tokens tokens = v.tokens("the ЖЖЖ");
  const Ids ids = v.encode_text("the ЖЖЖ");
  CHECK(std::count(ids.begin(), ids.end(), unk_id) == 1);
  CHECK(tokens.back() == "ЖЖЖ");
  // "真" occurs once: with a minimum count of 2 it is unknown, with 1 it is known.
  const auto has_unknown = [](const Vocabulary& of, const char* text) {
    const Ids found = of.encode_text(text);
    return std::count(found.begin(), found.end(), unk_id) > 0;
  };
  CHECK(has_unknown(v, "真"));
  CHECK_FALSE(has_unknown(vocabulary({.size = 80, .min_count = 1}), "真"));
  CHECK_FALSE(has_unknown(v, "世"));
}

TEST_CASE("subwords in lower case are the same for both cases") {
  const Vocabulary v = vocabulary({.size = 60, .lower_case = true});
  CHECK(v.lower_case());
  CHECK(v.encode_text("THE LOWER") == v.encode_text("the lower"));
  CHECK(v.decode_text(v.encode_text("The Lower")) == "the lower");
  CHECK_FALSE(vocabulary().lower_case());
  CHECK(vocabulary().encode_text("The") != vocabulary().encode_text("the"));
}

TEST_CASE("where no merge is left out, the sampled subwords are those of the library") {
  const Vocabulary v = vocabulary({.size = 120});
  const std::string letters = "lowernstwid.ЖQ你 '";
  const std::u32string points = code_points(letters);
  gradus::Generator generator(7);
  for (int i = 0; i < 2000; ++i) {
    std::u32string text;
    for (std::int64_t n = generator.below(24); n > 0; --n)
      text += points[static_cast<size_t>(generator.below(std::ssize(points)))];
    CAPTURE(utf8(text));
    CHECK(v.encode_text(utf8(text), 1e-300, &generator) == v.encode_text(utf8(text)));
  }
}

TEST_CASE("leaving out merges gives other subwords of the same text, and the seed says which") {
  const Vocabulary v = vocabulary({.size = 120, .min_count = 1});
  const std::string text = "The lowest river is wider, isn't it?";
  const auto sample = [&](double dropout, uint64_t seed) {
    gradus::Generator generator(seed);
    return v.encode_text(text, dropout, &generator);
  };
  std::set<Ids> samples;
  std::size_t shortest = 1000;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Ids ids = sample(0.3, seed);
    CHECK(v.decode_text(ids) == text);
    CHECK(sample(0.3, seed) == ids);
    CHECK(sample(1 - 1e-12, seed).size() ==
          text.size() + 1);  // a ▁ for each space and the first word
    samples.insert(ids);
    shortest = std::min(shortest, ids.size());
  }
  CHECK(samples.size() > 40);
  CHECK(shortest >= v.encode_text(text).size());
  CHECK(v.encode_text(text, 0.3) == v.encode_text(text));  // not training
}

TEST_CASE("the same texts give the same subwords") {
  for (const auto& [name, kind] : subword_kinds) {
    const SubwordOptions options{.size = 70, .kind = kind};
    CHECK(vocabulary(options).to_json() == vocabulary(options).to_json());
  }
}

TEST_CASE("a vocabulary of subwords survives JSON") {
  const Vocabulary v = vocabulary({.size = 70, .kind = SubwordKind::unigram, .lower_case = true});
  const Vocabulary copy = Vocabulary::from_json(v.to_json());
  CHECK(copy.unit() == Unit::subwords);
  CHECK(copy.lower_case());
  CHECK(copy.size() == v.size());
  for (const std::string& text : texts) CHECK(copy.encode_text(text) == v.encode_text(text));
  CHECK(copy.to_json() == v.to_json());
}

TEST_CASE("a size that leaves no room for the characters is refused with the one that does") {
  const std::string error = error_of([] { vocabulary({.size = 10, .min_count = 1}); });
  const std::string number = error.substr(error.rfind(' ') + 1);
  CHECK(error.starts_with("subwords: a vocabulary of 10 has no room for the "));
  const std::int64_t least = std::stoll(number);
  CHECK(vocabulary({.size = least, .min_count = 1}).size() == least);
  CHECK(error_of([&] { vocabulary({.size = least - 1, .min_count = 1}); }) != "");
  CHECK(error_of([] { Subwords({}, {}); }) == "subwords: there is no text to find them in");
  CHECK(error_of([] {
          Subwords({" ", "\u200B"}, {});
        }) == "subwords: there is no text to find them in");
}

TEST_CASE("more subwords than a text has are as many as it has") {
  for (const auto& [name, kind] : subword_kinds) {
    CAPTURE(name);
    const Vocabulary v = vocabulary({.size = 30'000, .kind = kind});
    CHECK(v.size() < 1000);
    CHECK(v.decode_text(v.encode_text(texts[0])) == texts[0]);
  }
}

TEST_CASE("what is not a model of subwords is refused") {
  const auto from = [](const std::string& json) {
    return error_of([&] { Vocabulary::from_json(json); });
  };
  CHECK(from(R"({"unit": "subwords"})").starts_with("vocabulary: of subwords: expected "));
  CHECK(from(R"({"unit": "subwords", "lower case": false, "model": "0g"})")
            .starts_with("vocabulary: digit 0 of its model is not hexadecimal"));
  CHECK(from(R"({"unit": "subwords", "lower case": false, "model": "0"})")
            .starts_with("vocabulary: digit 0 of its model is not hexadecimal"));
  for (const std::string model : {"", "00", "0a0b", "ffffffffff"})
    CHECK(from(R"({"unit": "subwords", "lower case": false, "model": ")" + model + "\"}")
              .starts_with("subwords: "));
  const std::string json = vocabulary().to_json();
  const size_t begin = json.find("\"model\":\"") + 9;
  for (size_t length : {20u, 200u, 1000u})  // cut off
    CHECK(from(json.substr(0, begin + length) + json.substr(json.find('"', begin))) != "");
}

TEST_CASE("only a vocabulary splits into subwords") {
  CHECK_THROWS_AS(tokens("a", Unit::subwords), std::invalid_argument);
}
