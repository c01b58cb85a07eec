#include "examples/terminal/display_width.h"

#include <utf8proc.h>

#include <algorithm>

namespace gradus::terminal {
namespace {

constexpr utf8proc_int32_t replacement = 0xFFFD;

/// Unicode's Bidi_Control.
bool is_direction_mark(utf8proc_int32_t code) {
  return code == 0x061C || code == 0x200E || code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

bool is_printable(utf8proc_int32_t code) {
  const auto category = utf8proc_category(code);
  if (is_direction_mark(code)) return false;
  const bool noncharacter = (code & 0xFFFE) == 0xFFFE || (code >= 0xFDD0 && code <= 0xFDEF);
  return !noncharacter && category != UTF8PROC_CATEGORY_CC && category != UTF8PROC_CATEGORY_CS &&
         category != UTF8PROC_CATEGORY_ZL && category != UTF8PROC_CATEGORY_ZP;
}

/// Calls `visit(code, bytes)` for each character; `bytes` are its own or those of U+FFFD.
template <class Visit>
void for_each_character(std::string_view text, Visit visit) {
  while (!text.empty()) {
    utf8proc_int32_t code;
    const auto* start = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
    const auto size = utf8proc_iterate(start, static_cast<utf8proc_ssize_t>(text.size()), &code);
    if (size > 0 && is_printable(code)) {
      visit(code, text.substr(0, size));
    } else {
      visit(replacement, "\uFFFD");
    }
    text.remove_prefix(std::max<utf8proc_ssize_t>(size, 1));
  }
}

std::string spaces_to_fill(std::string_view text, int columns) {
  return std::string(std::max(0, columns - display_width(text)), ' ');
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for_each_character(text, [&](auto, std::string_view bytes) { out += bytes; });
  return out;
}

int display_width(std::string_view text) {
  int columns = 0;
  for_each_character(text, [&](auto code, auto) { columns += utf8proc_charwidth(code); });
  return columns;
}

std::string fit(std::string_view text, int columns) {
  if (display_width(text) <= columns) return printable(text);
  if (columns < 1) return "";
  std::string out;
  int used = 1;
  for_each_character(text, [&](auto code, std::string_view bytes) {
    used += utf8proc_charwidth(code);
    if (used <= columns) out += bytes;
  });
  return out + "…";
}

std::vector<std::string> fit(const std::vector<std::string>& texts, int columns) {
  std::vector<std::string> out;
  for (const std::string& text : texts) out.push_back(fit(text, columns));
  return out;
}

std::string align_right(std::string_view text, int columns) {
  return spaces_to_fill(text, columns).append(text);
}

std::string align_left(std::string_view text, int columns) {
  return std::string(text) + spaces_to_fill(text, columns);
}

}  // namespace gradus::terminal
