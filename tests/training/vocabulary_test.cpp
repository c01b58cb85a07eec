#include "examples/training/vocabulary.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

using namespace gradus::training;
using Ids = std::vector<std::int64_t>;
using Tokens = std::vector<std::string>;

namespace {

const std::vector<Tokens> sentences = {{"b", "a", "c", "好"}, {"c", "a", "b", "z"}, {"c", "好"}};

std::string error_of(const std::string& json) {
  try {
    Vocabulary::from_json(json);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a vocabulary lists the specials, then tokens by count, then by code point") {
  const Vocabulary vocabulary(sentences, Unit::words);
  const Tokens expected = {"<pad>", "<bos>", "<eos>", "<unk>", "c", "a", "b", "好"};
  REQUIRE(vocabulary.size() == std::ssize(expected));
  for (std::int64_t id = 0; id < vocabulary.size(); ++id) {
    CHECK(vocabulary.token(id) == expected[static_cast<std::size_t>(id)]);
    CHECK(vocabulary.id(vocabulary.token(id)) == id);
  }
  CHECK(vocabulary.id("z") == unk_id);
  CHECK(Vocabulary(sentences, Unit::words, 1).id("z") == 8);
}

TEST_CASE("tokens of equal count stand in the order of code points, not of UTF-16") {
  const Vocabulary vocabulary({Tokens{"𠮷", "～", "a", "é"}}, Unit::characters, 1);
  CHECK(vocabulary.decode({4, 5, 6, 7}) == Tokens{"a", "é", "～", "𠮷"});
}

TEST_CASE("encoding gives one id per token and decoding stops at <eos>") {
  const Vocabulary vocabulary(sentences, Unit::words);
  CHECK(vocabulary.encode({"a", "nobody", "c"}) == Ids{5, unk_id, 4});
  CHECK(vocabulary.encode_text("A, c") == Ids{5, unk_id, 4});
  CHECK(vocabulary.encode_text(" ").empty());
  CHECK(vocabulary.decode({bos_id, 5, unk_id, 4, eos_id, 6, pad_id}) == Tokens{"a", "<unk>", "c"});
  CHECK(vocabulary.decode_text({6, 4, eos_id, 5}) == "b c");
  CHECK(vocabulary.decode({}).empty());
}

TEST_CASE("an id outside of the vocabulary is an error that says the range") {
  const Vocabulary vocabulary(sentences, Unit::words);
  CHECK_THROWS_WITH_AS(vocabulary.token(8), "vocabulary: id 8 is outside of [0, 8)",
                       std::out_of_range);
  CHECK_THROWS_AS(vocabulary.token(-1), std::out_of_range);
}

TEST_CASE("a vocabulary of one word works") {
  const Vocabulary vocabulary({Tokens{"yes", "yes"}}, Unit::words);
  CHECK(vocabulary.size() == 5);
  CHECK(vocabulary.encode_text("Yes no") == Ids{4, unk_id});
}

TEST_CASE("an empty vocabulary is an error that says why") {
  CHECK_THROWS_WITH_AS(Vocabulary({Tokens{"once"}}, Unit::words),
                       "vocabulary: it would be empty: no token occurs at least 2 times in 1 "
                       "sentence; give more text or a smaller minimum count",
                       std::invalid_argument);
  CHECK_THROWS_AS(Vocabulary(std::vector<Tokens>{}, Unit::words), std::invalid_argument);
  CHECK_THROWS_AS(Vocabulary({Tokens{"<pad>", "<pad>"}}, Unit::words), std::invalid_argument);
}

TEST_CASE("a token spelt like a special is that special") {
  const Vocabulary vocabulary({Tokens{"<unk>", "a", "<unk>"}}, Unit::words, 1);
  CHECK(vocabulary.size() == 5);
  CHECK(vocabulary.id("<unk>") == unk_id);
}

TEST_CASE("a vocabulary survives JSON") {
  const Vocabulary words({Tokens{"say", "\"", "\\", "\u0001", "好"}}, Unit::words, 1);
  const auto copy = Vocabulary::from_json(words.to_json());
  REQUIRE(copy.size() == words.size());
  CHECK(copy.unit() == Unit::words);
  for (std::int64_t id = 0; id < words.size(); ++id) CHECK(copy.token(id) == words.token(id));

  const Vocabulary characters(sentences, Unit::characters);
  CHECK(Vocabulary::from_json(characters.to_json()).unit() == Unit::characters);
  const Vocabulary points = Vocabulary::of_texts({"好 a\n", "a\n"}, Unit::code_points, 1);
  CHECK(Vocabulary::from_json(points.to_json()).unit() == Unit::code_points);
  CHECK(points.decode_text(points.encode_text("a 好\na")) == "a 好\na");
}

TEST_CASE("JSON that is not a vocabulary is an error that says what is wrong") {
  const std::string expected =
      "; expected {\"unit\": \"words\", \"characters\" or \"code points\", \"tokens\": [\"<pad>\", "
      "\"<bos>\", "
      "\"<eos>\", \"<unk>\", ...]} as to_json writes it";
  const auto tokens = [](const std::string& list) {
    return R"({"unit": "words", "tokens": )" + list + "}";
  };
  CHECK(error_of("{\"unit") ==
        "vocabulary: it is not JSON in UTF-8: error at its byte 7" + expected);
  CHECK(error_of("") == "vocabulary: it is not JSON in UTF-8: error at its byte 1" + expected);
  CHECK(error_of("[1]") == "vocabulary: this is not a JSON object" + expected);
  CHECK(error_of("{}") == "vocabulary: the unit is null" + expected);
  CHECK(error_of(R"({"unit": "bytes"})") == "vocabulary: the unit is \"bytes\"" + expected);
  CHECK(error_of(R"({"unit": "words"})") == "vocabulary: there is no list of tokens" + expected);
  CHECK(error_of(tokens(R"(["<pad>", 7])")) == "vocabulary: a token is 7" + expected);
  CHECK(error_of(tokens(R"(["<pad>", "<bos>", "<eos>", "<unk>"])")) ==
        "vocabulary: it holds 4 tokens, which leaves none beside the four specials" + expected);
  CHECK(error_of(tokens(R"(["<pad>", "<eos>", "<bos>", "<unk>", "a"])")) ==
        "vocabulary: token 1 is \"<eos>\" and not <bos>" + expected);
  CHECK(error_of(tokens(R"(["<pad>", "<bos>", "<eos>", "<unk>", "a", "b", "a"])")) ==
        "vocabulary: \"a\" is listed twice" + expected);
}
