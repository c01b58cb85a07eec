#include "examples/translate/text.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <cstdint>
#include <stdexcept>

namespace gradus::translate {
namespace {

/// Reads one code point at `at` and moves behind it; a negative value if there is none.
utf8proc_int32_t next(std::string_view text, std::size_t& at) {
  utf8proc_int32_t c;
  const auto bytes = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                                      static_cast<utf8proc_ssize_t>(text.size() - at), &c);
  if (bytes < 0) return -1;
  at += static_cast<std::size_t>(bytes);
  return c;
}

void append(std::string& text, char32_t c) {
  utf8proc_uint8_t bytes[4];
  const auto n = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes);
  text.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(n));
}

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

bool is_letter(char32_t c) {
  const auto k = category(c);
  return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

bool is_word(char32_t c) {
  const auto k = category(c);
  return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_NO) || c == U'_';
}

bool is_space(char32_t c) {
  const auto k = category(c);
  return (k >= UTF8PROC_CATEGORY_ZS && k <= UTF8PROC_CATEGORY_ZP) || (c >= 0x09 && c <= 0x0D) ||
         (c >= 0x1C && c <= 0x1F) || c == 0x85;
}

bool is_digit(char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }

bool is_unspaced_script(char32_t c) {
  struct Range {
    char32_t first, last;
  };
  static constexpr Range ranges[] = {
      {0x0E00, 0x109F},    // Thai, Lao, Tibetan, Burmese
      {0x1780, 0x17FF},    // Khmer
      {0x3005, 0x312F},    // kana, Bopomofo
      {0x31A0, 0x31FF},    // their extensions
      {0x3400, 0x4DBF},    // Han, extension A
      {0x4E00, 0x9FFF},    // Han
      {0xF900, 0xFAFF},    // Han, compatibility
      {0xFF66, 0xFF9D},    // halfwidth kana
      {0x1B000, 0x1B16F},  // historic kana
      {0x20000, 0x3FFFF},  // Han, further extensions
  };
  for (const auto& range : ranges)
    if (c >= range.first && c <= range.last) return true;
  return false;
}

char32_t fold(char32_t c) {
  if (c == U'’') return U'\'';
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

bool closes(char32_t c) {
  const auto k = category(c);
  return k == UTF8PROC_CATEGORY_PE || k == UTF8PROC_CATEGORY_PF ||
         std::u32string_view(U".,!?;:%…'、。！？，；：").find(c) != std::u32string_view::npos;
}

bool opens(char32_t c) {
  const auto k = category(c);
  return k == UTF8PROC_CATEGORY_PS || k == UTF8PROC_CATEGORY_PI || c == U'¿' || c == U'¡' ||
         c == U'$';
}

/// Whether a mark belongs between its neighbours without spaces: left-handed, 3:30, 10,000.
bool holds_together(char32_t before, char32_t mark, char32_t after) {
  if (mark == U'-') return is_word(before) && is_word(after);
  return (mark == U'.' || mark == U',' || mark == U':') && is_digit(before) && is_digit(after);
}

}  // namespace

std::u32string code_points(std::string_view text) {
  std::u32string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto c = next(text, at);
    if (c < 0)
      throw std::invalid_argument(fmt::format(
          "text: byte {} of {} (0x{:02x}) is not valid UTF-8; convert the text to UTF-8", at + 1,
          text.size(), static_cast<unsigned char>(text[at])));
    result.push_back(static_cast<char32_t>(c));
  }
  return result;
}

bool valid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();)
    if (next(text, at) < 0) return false;
  return true;
}

bool blank(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto c = next(text, at);
    if (c < 0 || !is_space(static_cast<char32_t>(c))) return false;
  }
  return true;
}

Unit unit_of(const std::vector<std::string>& sentences) {
  std::int64_t letters = 0, unspaced = 0;
  for (const auto& sentence : sentences)
    for (const char32_t c : code_points(sentence)) {
      if (!is_letter(c)) continue;
      ++letters;
      unspaced += is_unspaced_script(c);
    }
  return 2 * unspaced > letters ? Unit::characters : Unit::words;
}

std::vector<std::string> tokens(std::string_view text, Unit unit) {
  auto points = code_points(text);
  if (unit == Unit::words)
    for (char32_t& c : points) c = fold(c);
  const auto in_word = [&](std::size_t i) { return i < points.size() && is_word(points[i]); };

  std::vector<std::string> result;
  for (std::size_t i = 0, end; i < points.size(); i = end) {
    end = i + 1;
    if (is_space(points[i])) continue;
    if (unit == Unit::words && in_word(i))
      while (in_word(end) || (end < points.size() && points[end] == U'\'' && in_word(end + 1)))
        ++end;
    auto& token = result.emplace_back();
    for (auto at = i; at < end; ++at) append(token, points[at]);
  }
  return result;
}

std::string join(const std::vector<std::string>& tokens, Unit unit) {
  std::string text;
  if (unit == Unit::characters) {
    for (const auto& token : tokens) text += token;
    return text;
  }
  std::vector<std::u32string> points;
  for (const auto& token : tokens)
    if (!token.empty()) points.push_back(code_points(token));

  bool glued = true, quoted = false;  // no space before this token; inside a pair of "
  for (std::size_t i = 0; i < points.size(); ++i) {
    const char32_t mark = points[i].size() == 1 ? points[i][0] : 0;
    const bool inner = i > 0 && i + 1 < points.size() &&
                       holds_together(points[i - 1].back(), mark, points[i + 1].front());
    const bool quote = mark == U'"';
    if (!glued && !inner && !closes(mark) && !(quote && quoted)) text += ' ';
    quoted ^= quote;
    glued = inner || opens(mark) || (quote && quoted);
    for (const char32_t c : points[i]) append(text, c);
  }
  return text;
}

}  // namespace gradus::translate
