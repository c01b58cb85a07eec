#include "examples/translate/tokenisation.h"

#include <utf8proc.h>

#include <algorithm>
#include <stdexcept>

#include "examples/training/text.h"

namespace gradus::translate {

namespace {

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

bool between(char32_t c, auto first, auto last) { return c >= first && c <= last; }

bool is_punctuation(char32_t c) {
  return between(category(c), UTF8PROC_CATEGORY_PC, UTF8PROC_CATEGORY_PO);
}
bool is_symbol(char32_t c) {
  return between(category(c), UTF8PROC_CATEGORY_SM, UTF8PROC_CATEGORY_SO);
}
bool is_number(char32_t c) {
  return between(category(c), UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO);
}
bool is_digit(char32_t c) { return between(c, U'0', U'9'); }
bool is_point(char32_t c) { return c == U'.' || c == U','; }
bool is_hyphen(char32_t c) { return c == U'-'; }

/// As Python's str.split() has it.
bool is_space(char32_t c) {
  return between(category(c), UTF8PROC_CATEGORY_ZS, UTF8PROC_CATEGORY_ZP) ||
         between(c, U'\x09', U'\x0D') || between(c, U'\x1C', U'\x1F') || c == 0x85;
}

/// ASCII that 13a parts from what is beside it: [\{-\~\[-\` -\&\(-\+\:-\@\/]
bool is_mark(char32_t c) {
  return between(c, U'{', U'~') || between(c, U'[', U'`') || between(c, U' ', U'&') ||
         between(c, U'(', U'+') || between(c, U':', U'@') || c == U'/';
}

/// The ranges of sacrebleu, in which U+2000 stands for U+20000 and U+2F80 for U+2F800.
bool is_chinese(char32_t c) {
  static constexpr char32_t ranges[][2] = {
      {0x3400, 0x4DB5}, {0x4E00, 0x9FBB}, {0xF900, 0xFA2D}, {0xFA30, 0xFA6A}, {0xFA70, 0xFAD9},
      {0x2001, 0x2A6D}, {0x2F81, 0x2FA1}, {0xFF00, 0xFFEF}, {0x2E80, 0x2EFF}, {0x3000, 0x303F},
      {0x31C0, 0x31EF}, {0x2F00, 0x2FDF}, {0x2FF0, 0x2FFF}, {0x3100, 0x312F}, {0x31A0, 0x31BF},
      {0xFE10, 0xFE1F}, {0xFE30, 0xFE4F}, {0x2600, 0x27BF}, {0x3200, 0x33FF}};
  return std::ranges::any_of(ranges,
                             [c](const auto& range) { return between(c, range[0], range[1]); });
}

/// A space before and behind each of these characters.
std::u32string apart(std::u32string_view text, auto is_one) {
  std::u32string result;
  for (const char32_t c : text)
    result += is_one(c) ? std::u32string{U' ', c, U' '} : std::u32string{c};
  return result;
}

/// A space between two such characters, one before the pair or behind it; pairs are found from left
/// to right and do not overlap.
enum class Space { before, behind };
std::u32string pairs_apart(std::u32string_view text, auto is_first, auto is_second, Space space) {
  std::u32string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i + 1 == text.size() || !is_first(text[i]) || !is_second(text[i + 1])) {
      result += text[i];
      continue;
    }
    if (space == Space::before) result += U' ';
    result += {text[i], U' ', text[i + 1]};
    if (space == Space::behind) result += U' ';
    ++i;
  }
  return result;
}

/// The part that 13a and zh share.
std::u32string with_marks_apart(std::u32string_view text) {
  const auto no_digit = [](char32_t c) { return !is_digit(c); };
  std::u32string result = apart(text, is_mark);
  result = pairs_apart(result, no_digit, is_point, Space::behind);
  result = pairs_apart(result, is_point, no_digit, Space::before);
  return pairs_apart(result, is_digit, is_hyphen, Space::behind);
}

std::u32string international(std::u32string_view text) {
  const auto no_number = [](char32_t c) { return !is_number(c); };
  std::u32string result = pairs_apart(text, no_number, is_punctuation, Space::behind);
  result = pairs_apart(result, is_punctuation, no_number, Space::before);
  return apart(result, is_symbol);
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

std::string without_entities(std::string text) {
  replace_all(text, "<skipped>", "");
  replace_all(text, "&quot;", "\"");
  replace_all(text, "&amp;", "&");
  replace_all(text, "&lt;", "<");
  replace_all(text, "&gt;", ">");
  return text;
}

std::u32string spaced(std::string_view line, Tokenisation tokenisation) {
  std::u32string text = training::code_points(
      tokenisation == Tokenisation::v13a ? without_entities(std::string(line)) : std::string(line));
  while (!text.empty() && is_space(text.back())) text.pop_back();
  switch (tokenisation) {
    case Tokenisation::own:
      throw std::invalid_argument("tokenised: the tokens of a model are those of its vocabulary");
    case Tokenisation::none:
      return text;
    case Tokenisation::v13a:
      return with_marks_apart(U' ' + text + U' ');
    case Tokenisation::intl:
      return international(text);
    case Tokenisation::zh:
      text.erase(0,
                 static_cast<std::size_t>(std::ranges::find_if_not(text, is_space) - text.begin()));
      return with_marks_apart(apart(text, is_chinese));
    case Tokenisation::characters:
      return apart(text, [](char32_t) { return true; });
  }
  return text;
}

}  // namespace

std::vector<std::string> tokenised(std::string_view line, Tokenisation tokenisation) {
  std::vector<std::string> tokens;
  std::u32string token;
  for (const char32_t c : spaced(line, tokenisation) + U' ') {
    if (!is_space(c)) {
      token += c;
    } else if (!token.empty()) {
      tokens.push_back(training::utf8(token));
      token.clear();
    }
  }
  return tokens;
}

}  // namespace gradus::translate
