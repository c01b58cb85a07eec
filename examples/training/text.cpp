#include "examples/training/text.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>

namespace gradus::training {
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

struct Range {
  char32_t first, last;
  bool contains(char32_t c) const { return c >= first && c <= last; }
};

/// Chinese and Japanese.
bool is_han_or_kana(char32_t c) {
  static constexpr Range ranges[] = {
      {0x3005, 0x312F},    // kana, Bopomofo
      {0x31A0, 0x31FF},    // their extensions
      {0x3400, 0x4DBF},    // Han, extension A
      {0x4E00, 0x9FFF},    // Han
      {0xF900, 0xFAFF},    // Han, compatibility
      {0xFF66, 0xFF9D},    // halfwidth kana
      {0x1B000, 0x1B16F},  // historic kana
      {0x20000, 0x3FFFF},  // Han, further extensions
  };
  return std::ranges::any_of(ranges, [c](const Range& range) { return range.contains(c); });
}

bool is_unspaced_script(char32_t c) {
  constexpr Range thai_to_burmese{0x0E00, 0x109F}, khmer{0x1780, 0x17FF};
  return is_han_or_kana(c) || thai_to_burmese.contains(c) || khmer.contains(c);
}

// --- normalising --------------------------------------------------------------------------------

const utf8proc_property_t& property(char32_t c) {
  return *utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
}

bool is_pictograph(char32_t c) {
  return property(c).boundclass == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC;
}

/// Whether an invisible character belongs to an emoji, after the visible one `before`.
bool joins_emoji(std::u32string_view text, std::size_t at, char32_t before) {
  constexpr char32_t joiner = 0x200D, black_flag = 0x1F3F4;
  constexpr Range skin_tones{0x1F3FB, 0x1F3FF}, tags{0xE0020, 0xE007F};
  if (text[at] == joiner)
    return (is_pictograph(before) || skin_tones.contains(before)) && at + 1 < text.size() &&
           is_pictograph(text[at + 1]);
  return tags.contains(text[at]) && (before == black_flag || tags.contains(before));
}

/// Without what cannot be seen, and with a limited number of marks on a character.
std::u32string visible(std::u32string_view text) {
  constexpr int most_marks = 30;             // as in Unicode's Stream-Safe Text Format
  constexpr char32_t acute_accent = 0x00B4;  // typed for an apostrophe; NFKC parts it
  std::u32string result;
  int marks = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char32_t c = text[at] == acute_accent ? U'\'' : text[at];
    const bool is_invisible =
        property(c).ignorable || (category(c) == UTF8PROC_CATEGORY_CC && !is_space(c));
    if (is_invisible && (result.empty() || !joins_emoji(text, at, result.back()))) continue;
    marks = property(c).combining_class != 0 ? marks + 1 : 0;
    if (marks <= most_marks) result.push_back(c);
  }
  return result;
}

std::string nfkc(const std::string& text) {
  utf8proc_uint8_t* mapped = nullptr;
  const auto size = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
      static_cast<utf8proc_ssize_t>(text.size()), &mapped,
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT));
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owner(mapped, std::free);
  if (size == UTF8PROC_ERROR_NOMEM) throw std::bad_alloc();
  if (size < 0) throw std::invalid_argument(fmt::format("text: {}", utf8proc_errmsg(size)));
  return {reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(size)};
}

std::u32string with_single_spaces(std::u32string_view text) {
  std::u32string result;
  for (const char32_t c : text)
    if (!is_space(c))
      result.push_back(c);
    else if (!result.empty() && result.back() != U' ')
      result.push_back(U' ');
  if (result.ends_with(U' ')) result.pop_back();
  return result;
}

/// Printable ASCII, Han, and the marks 、 and 。: each is a grapheme cluster by itself beside
/// others of these, and NFKC leaves them alone. Most text is of nothing else.
bool is_plain(char32_t c) {
  return (c >= U' ' && c <= U'~') || (c >= 0x4E00 && c <= 0x9FFF) || c == U'、' || c == U'。';
}

std::u32string normalised_points(std::string_view text) {
  std::u32string points = code_points(text);
  if (!std::ranges::all_of(points, is_plain)) points = code_points(nfkc(utf8(visible(points))));
  return with_single_spaces(points);
}

/// Grapheme clusters, one after the other.
std::vector<std::u32string_view> clusters_of(std::u32string_view text) {
  std::vector<std::u32string_view> result;
  utf8proc_int32_t state = 0;
  std::size_t begin = 0;
  for (std::size_t at = 1; at <= text.size(); ++at) {
    if (at < text.size() && is_plain(text[at - 1]) && is_plain(text[at]))
      state = 0;
    else if (at < text.size() &&
             !utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(text[at - 1]),
                                               static_cast<utf8proc_int32_t>(text[at]), &state))
      continue;
    result.push_back(text.substr(begin, at - begin));
    begin = at;
  }
  return result;
}

// --- words and characters -----------------------------------------------------------------------

char32_t lower(char32_t c) {
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

char32_t fold(char32_t c) { return c == U'’' ? U'\'' : lower(c); }

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

using Clusters = std::vector<std::u32string_view>;

/// The end of the word that begins at `i`.
std::size_t end_of_word(const Clusters& clusters, std::size_t i) {
  const auto first = [&](std::size_t at) { return at < clusters.size() ? clusters[at][0] : U' '; };
  while (true) {
    ++i;
    const char32_t mark = first(i), after = first(i + 1);
    const bool is_inside =
        (mark == U'\'' && is_word(after)) || ((mark == U'.' || mark == U',' || mark == U':') &&
                                              is_digit(first(i - 1)) && is_digit(after));
    if (!is_word(mark) && !is_inside) return i;
  }
}

std::vector<std::string> words(const Clusters& clusters) {
  std::vector<std::string> result;
  const auto is_word_at = [&](std::size_t at) {
    return at < clusters.size() && is_word(clusters[at][0]);
  };
  for (std::size_t i = 0, end; i < clusters.size(); i = end) {
    end = is_word_at(i) ? end_of_word(clusters, i) : i + 1;
    std::string token;
    for (std::size_t at = i; at < end; ++at)
      for (const char32_t c : clusters[at])
        if (!is_space(c)) append(token, c);
    const bool is_loose = i > 0 && end < clusters.size() &&
                          (is_space(clusters[i - 1][0]) || is_space(clusters[end][0]));
    if (token == "-" && is_loose) token = "–";
    if (!token.empty()) result.push_back(token);
  }
  return result;
}

/// The clusters, of which marks beside a Chinese or Japanese character are full-width.
std::vector<std::u32string> with_wide_marks(const Clusters& clusters) {
  constexpr std::u32string_view narrow = U",!?:;()";
  std::vector<std::u32string> result;
  bool follows_wide = false;
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    std::u32string& cluster = result.emplace_back(clusters[i]);
    if (cluster == U" ") continue;
    const std::size_t next = i + 1 < clusters.size() && clusters[i + 1] == U" " ? i + 2 : i + 1;
    for (char32_t& c : cluster) {
      const bool is_wide =
          is_han_or_kana(c) ||
          (narrow.find(c) != narrow.npos &&
           (follows_wide || (next < clusters.size() && is_han_or_kana(clusters[next][0]))));
      if (is_wide && c < 0x80) c += 0xFEE0;  // U+0021 … U+007E lie at U+FF01 … U+FF5E once more
      follows_wide = is_wide;
    }
  }
  return result;
}

std::vector<std::string> characters(const Clusters& clusters) {
  std::vector<std::string> result;
  for (const std::u32string& cluster : with_wide_marks(clusters)) {
    if (cluster == U" ") continue;
    std::string& token = result.emplace_back();
    for (const char32_t c : cluster)
      if (!is_space(c)) append(token, c);
  }
  return result;
}

std::string joined_subwords(const std::vector<std::string>& tokens) {
  std::u32string text;
  for (const auto& token : tokens) text += code_points(token);
  std::ranges::replace(text, U'▁', U' ');
  return utf8(with_single_spaces(text));
}

}  // namespace

std::string utf8(std::u32string_view points) {
  std::string text;
  for (const char32_t c : points) append(text, c);
  return text;
}

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

std::vector<std::string> lines_of(std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (text.find('\n') != text.npos) return {std::string(text)};
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\r', begin), text.size());
    lines.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

bool blank(std::string_view text) { return valid_utf8(text) && normalised_points(text).empty(); }

std::string normalised(std::string_view text) { return utf8(normalised_points(text)); }

std::string sentence(std::string_view text) {
  const std::u32string points = normalised_points(text);
  std::string result;
  for (const std::u32string& cluster : with_wide_marks(clusters_of(points)))
    result += utf8(cluster);
  return result;
}

std::string in_lower_case(std::string_view text) {
  std::string result;
  for (const char32_t c : code_points(text)) append(result, lower(c));
  return result;
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
  if (unit == Unit::code_points) {
    std::vector<std::string> result;
    for (const char32_t c : code_points(text)) append(result.emplace_back(), c);
    return result;
  }
  if (unit == Unit::subwords)
    throw std::invalid_argument("text: its subwords are those of a vocabulary: use its tokens()");
  std::u32string points = normalised_points(text);
  if (unit == Unit::words)
    for (char32_t& c : points) c = fold(c);
  const Clusters clusters = clusters_of(points);
  return unit == Unit::words ? words(clusters) : characters(clusters);
}

std::string join(const std::vector<std::string>& tokens, Unit unit) {
  std::string text;
  if (unit == Unit::subwords) return joined_subwords(tokens);
  if (unit != Unit::words) {
    for (const auto& token : tokens) text += token;
    return text;
  }
  std::vector<std::u32string> points;
  for (const auto& token : tokens)
    if (!token.empty()) points.push_back(code_points(token));

  bool glued = true, quoted = false;  // no space before this token; inside a pair of "
  for (std::size_t i = 0; i < points.size(); ++i) {
    const char32_t mark = points[i].size() == 1 ? points[i][0] : 0;
    const bool inner = mark == U'-' && i > 0 && i + 1 < points.size() &&
                       is_word(points[i - 1].back()) && is_word(points[i + 1].front());
    const bool quote = mark == U'"';
    if (!glued && !inner && !closes(mark) && !(quote && quoted)) text += ' ';
    quoted ^= quote;
    glued = inner || opens(mark) || (quote && quoted);
    for (const char32_t c : points[i]) append(text, c);
  }
  return text;
}

}  // namespace gradus::training
