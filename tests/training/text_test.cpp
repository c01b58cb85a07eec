#include "examples/training/text.h"

#include <doctest/doctest.h>

#include <stdexcept>

using namespace gradus::training;
using Tokens = std::vector<std::string>;

TEST_CASE("words are in lower case, with punctuation apart and apostrophes inside") {
  CHECK(tokens("Don't go, Zoë!", Unit::words) == Tokens{"don't", "go", ",", "zoë", "!"});
  CHECK(tokens("They’d've", Unit::words) == Tokens{"they'd've"});
  CHECK(tokens("the boys' 'toys'", Unit::words) == Tokens{"the", "boys", "'", "'", "toys", "'"});
  CHECK(tokens("a''b", Unit::words) == Tokens{"a", "'", "'", "b"});
  CHECK(tokens("snake_case 3.5 x-ray", Unit::words) ==
        Tokens{"snake_case", "3.5", "x", "-", "ray"});
  CHECK(tokens("ÉCOLE ΣΟΦΙΑ", Unit::words) == Tokens{"école", "σοφια"});
}

TEST_CASE("white space of any kind separates words and is dropped") {
  CHECK(tokens("\t a\u00A0b\u3000c\u2028d\x1C e \r\n", Unit::words) ==
        Tokens{"a", "b", "c", "d", "e"});
  CHECK(tokens("", Unit::words).empty());
  CHECK(tokens(" \u3000", Unit::characters).empty());
}

TEST_CASE("a combining mark stays with its letter") {
  CHECK(tokens("cafe\u0301 हिन्दी", Unit::words) == Tokens{"café", "हिन्दी"});
}

TEST_CASE("characters are grapheme clusters without white space, in their own case") {
  CHECK(tokens("我 有A𠮷。", Unit::characters) == Tokens{"我", "有", "A", "𠮷", "。"});
}

TEST_CASE("the unit follows from the script of most letters") {
  CHECK(unit_of({"A green door.", "Who opened it?"}) == Unit::words);
  CHECK(unit_of({"红色的灯笼。", "谁挂上去的?"}) == Unit::characters);
  CHECK(unit_of({"カメラを買いました"}) == Unit::characters);
  CHECK(unit_of({"สวัสดีครับ"}) == Unit::characters);
  CHECK(unit_of({"안녕하세요 여러분"}) == Unit::words);
  CHECK(unit_of({"Доброе утро"}) == Unit::words);
  CHECK(unit_of({"Tom喜欢在晚上听音乐。"}) == Unit::characters);
  CHECK(unit_of({"The character 好 means good."}) == Unit::words);
  CHECK(unit_of({"。,123"}) == Unit::words);
  CHECK(unit_of({}) == Unit::words);
}

TEST_CASE("joined words read like text") {
  for (const std::string text :
       {"hello, world!", "\"stop,\" he said, \"or i'll (really) go.\"", "the boys' toys: 3.",
        "a left-handed well-known man", "at 3:30 he paid $10,000.50.", "¿qué? ¡sí!", "100% of it",
        "what...?", "[so] «this» “is” {it}"}) {
    CAPTURE(text);
    CHECK(join(tokens(text, Unit::words), Unit::words) == text);
  }
  CHECK(join({}, Unit::words) == "");
  CHECK(join({"i", "know", "<unk>", "."}, Unit::words) == "i know <unk>.");
  CHECK(join({"", "a", "", "b"}, Unit::words) == "a b");
}

TEST_CASE("joined characters have no spaces between them") {
  CHECK(join({"你", "好", "!"}, Unit::characters) == "你好!");
  CHECK(join({}, Unit::characters) == "");
}

TEST_CASE("invalid UTF-8 is recognised") {
  CHECK(valid_utf8(""));
  CHECK(valid_utf8("aé好𠮷"));
  for (const std::string bytes :
       {"\xFF", "\xC3", "a\x80", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE5\xA5"}) {
    CHECK_FALSE(valid_utf8(bytes));
    CHECK_THROWS_AS(tokens(bytes, Unit::words), std::invalid_argument);
  }
  CHECK_THROWS_WITH_AS(tokens("caf\xE9!", Unit::words),
                       "text: byte 4 of 5 (0xe9) is not valid UTF-8; convert the text to UTF-8",
                       std::invalid_argument);
}

TEST_CASE("a NUL byte is invisible") {
  CHECK(tokens(std::string_view("a\0b", 3), Unit::characters) == Tokens{"a", "b"});
}

TEST_CASE("code points are those of the text as it stands") {
  CHECK(tokens(" A\u200B\n好", Unit::code_points) == Tokens{" ", "A", "\u200B", "\n", "好"});
  CHECK(join({" ", "A", "\n", "好"}, Unit::code_points) == " A\n好");
  CHECK_THROWS_AS(tokens("a\xFF", Unit::code_points), std::invalid_argument);
}
