// The kind: two texts that look the same are read as different ones.

#include <doctest/doctest.h>

#include "examples/training/vocabulary.h"
#include "examples/translate/corpus.h"
#include "examples/translate/pairs.h"
#include "tests/files.h"

using namespace gradus::testing;
using namespace gradus::translate;
using Tokens = std::vector<std::string>;

namespace {

Tokens words(std::string_view text) { return tokens(text, Unit::words); }
Tokens characters(std::string_view text) { return tokens(text, Unit::characters); }

}  // namespace

TEST_CASE("invisible characters change no word") {
  const Tokens expected{"my", "father", "sleeps", "."};
  for (const std::string invisible :
       {"\u200B", "\u00AD", "\u2060", "\uFEFF", "\u200C", "\u200D", "\u200E", "\u202E", "\u2066",
        "\uFE0F", "\U000E0100", "\U000E0041", "\u034F", "\u061C", "\u0001", "\u007F", "\u009B"})
    for (const std::string& text :
         {"My fa" + invisible + "ther sleeps.", invisible + "My father sleeps" + invisible + ".",
          "My " + invisible + " father sleeps." + invisible}) {
      CAPTURE(text);
      CHECK(words(text) == expected);
      CHECK(characters(text) == characters("My father sleeps."));
    }
  CHECK(blank("\u200B \uFEFF\u00AD"));
  CHECK_FALSE(blank("\u200B.\uFEFF"));
}

TEST_CASE("full-width and other compatibility forms are ordinary letters and digits") {
  CHECK(words("Ｍｙ ｆａｔｈｅｒ’ｓ ２３!") == Tokens{"my", "father's", "23", "!"});
  CHECK(words("ﬁve ℌouses ①") == Tokens{"five", "houses", "1"});
  CHECK(words("I´m") == Tokens{"i'm"});
  CHECK(words("cafe\u0301") == words("café"));
  CHECK(characters("ｶﾞ") == Tokens{"ガ"});
  CHECK(characters("각") == characters("\u1100\u1161\u11A8"));
}

TEST_CASE("white space of every kind and number is one space") {
  CHECK(normalised("\u00A0 a\u3000\u2003 b\t\tc\u2028\u0085d \r") == "a b c d");
}

TEST_CASE("normalising a second time changes nothing") {
  for (const std::string text : {"ﬁ ①　Ａ…", "\u1100\u200B\u1161", "a\u0323\u0307 \u00A8",
                                 "👨\u200D👩\u200D👧 🏴\U000E0067\U000E007F",
                                 "x\u200D\u200B👩", "👩\u200B\u200D🚀", "´ ¨ ﷺ", "\u0344\u0F73"}) {
    CAPTURE(text);
    CHECK(normalised(normalised(text)) == normalised(text));
  }
}

TEST_CASE("what readers take for one character is one token") {
  for (const std::string one : {"👍🏽", "👨‍👩‍👧‍👦", "🇨🇳", "👩🏽‍🚀",
                                "🏴\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F",
                                "กี่", "한", "நி", "e\u0331\u0330"}) {
    CAPTURE(one);
    CHECK(characters(one + one).size() == 2);
    CHECK(characters("a" + one + "b").size() == 3);
  }
  for (const std::string emoji : {"👍🏽", "👨‍👩‍👧‍👦", "🇨🇳", "👩🏽‍🚀"})
    CHECK(words("so " + emoji + emoji + " good") == Tokens{"so", emoji, emoji, "good"});
  // With and without the selector that asks for colours.
  CHECK(words("❤️‍🔥") == words("❤‍🔥"));
  CHECK(words("❤️‍🔥").size() == 1);
  CHECK(characters("☀️") == characters("☀"));
  // A joiner that joins nothing is invisible.
  CHECK(words("👍\u200D good") == words("👍 good"));
}

TEST_CASE("a character has thirty marks at most, and ten thousand of them take no time") {
  std::string marked = "a";
  for (int i = 0; i < 10'000; ++i) marked += "\u0301\u0323";
  const Tokens result = words(marked);
  REQUIRE(result.size() == 1);
  CHECK(code_points(result[0]).size() <= 31);
}

TEST_CASE("a number is one word, and two numbers stay two") {
  CHECK(words("5, 10") == Tokens{"5", ",", "10"});
  CHECK(words("10,000.5 at 3:30") == Tokens{"10,000.5", "at", "3:30"});
  CHECK(words("3. 5, x.y 7.") == Tokens{"3", ".", "5", ",", "x", ".", "y", "7", "."});
  for (const std::string text : {"5, 10", "10,000", "rows 1, 2, 3.", "at 3: 30 people",
                                 "version 1.2.3", "a left-handed man", "9 – 5 is 4", "5.5. 6"}) {
    CAPTURE(text);
    CHECK(join(words(text), Unit::words) == text);
  }
  // A hyphen between spaces is a dash, and its spaces stay.
  CHECK(join(words("one - two"), Unit::words) == "one – two");
  CHECK(words("left-handed")[1] == "-");
}

TEST_CASE("Chinese has its own marks, however they were typed") {
  const Tokens expected{"你", "好", "！", "你", "吃", "了", "吗", "？"};
  CHECK(characters("你好！你吃了吗？") == expected);
  CHECK(characters("你好!你吃了吗?") == expected);
  CHECK(characters("你好! 你吃了吗 ?") == expected);
  CHECK(characters("什么!?") == Tokens{"什", "么", "！", "？"});
  CHECK(characters("(完)") == Tokens{"（", "完", "）"});
  CHECK(characters("3:30, Tom!") == Tokens{"3", ":", "3", "0", ",", "T", "o", "m", "!"});
  const auto once = characters("他说: Tom(男)!");
  CHECK(characters(join(once, Unit::characters)) == once);
}

TEST_CASE("every sentence of the embedded corpus reads as it was written") {
  const Corpus corpus = embedded_corpus();
  for (const auto* part : {&corpus.train, &corpus.valid, &corpus.test})
    for (const Pair& pair : *part) {
      CAPTURE(pair.target);
      REQUIRE(join(characters(pair.target), Unit::characters) == pair.target);
      REQUIRE(normalised(pair.source) == pair.source);
    }
}

TEST_CASE("training and translating see the same tokens") {
  const Tokens sentence = words("Ｉ\u00AD love\u00A0you.");
  const Vocabulary vocabulary({sentence}, Unit::words, 1);
  CHECK(vocabulary.encode_text("I love you.") == vocabulary.encode(sentence));
  CHECK(vocabulary.encode_text("\uFEFFI lo\u200Bve  you .") == vocabulary.encode(sentence));
}

TEST_CASE("old Mac line ends are read, with a word") {
  const Folder folder;
  const std::string path = folder / "mac.tsv";
  write(path, "\uFEFFone\t一\rtwo\t二\r\rthree\t三\r");
  const ReadPairs read = read_pairs(path);
  REQUIRE(read.pairs.size() == 3);
  CHECK(read.pairs[0].source == "one");
  CHECK(read.pairs[2].target == "三");
  REQUIRE(read.warnings.size() == 2);
  CHECK(read.warnings[0] ==
        path + ": its lines end in a carriage return alone, as on old Macs; read as 4 lines");
  CHECK(read.warnings[1] == path + ": skipped 1 line of white space only, the first at line 3");
  // Where there are line feeds, a carriage return within a line is white space.
  write(path, "one\rmore\t一\ntwo\t二\r\n");
  CHECK(read_pairs(path).pairs.size() == 2);
  CHECK(read_pairs(path).warnings.empty());
  CHECK(lines_of("a\rb\r") == std::vector<std::string>{"a", "b"});
  CHECK(lines_of("a\r") == std::vector<std::string>{"a"});
  CHECK(lines_of("") == std::vector<std::string>{""});
}
