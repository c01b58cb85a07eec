#include "examples/live/browser/utf8proc.h"

#include <cstring>
#include <string>
#include <unordered_map>

extern "C" {  // unicode.js
int unicode_category(int code);
int unicode_facts(int code);  // 1: invisible, 2: a pictograph, 4: a mark that is put on a character
int unicode_lower(int code);
int unicode_break(int before, int after);
char* unicode_nfkc(const char* text);
}

utf8proc_ssize_t utf8proc_iterate(const utf8proc_uint8_t* text, utf8proc_ssize_t size,
                                  utf8proc_int32_t* code) {
  *code = -1;
  if (size <= 0) return 0;
  const int first = text[0], length = first < 0x80    ? 1
                                      : first < 0xC2  ? 0
                                      : first < 0xE0  ? 2
                                      : first < 0xF0  ? 3
                                      : first <= 0xF4 ? 4
                                                      : 0;
  if (length == 0 || size < length) return UTF8PROC_ERROR_INVALIDUTF8;
  int value = length == 1 ? first : first & (0x7F >> length);
  for (int i = 1; i < length; ++i) {
    if ((text[i] & 0xC0) != 0x80) return UTF8PROC_ERROR_INVALIDUTF8;
    value = value << 6 | (text[i] & 0x3F);
  }
  const bool is_surrogate = value >= 0xD800 && value < 0xE000;
  const bool is_too_long = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  if (is_surrogate || is_too_long || value > 0x10FFFF) return UTF8PROC_ERROR_INVALIDUTF8;
  *code = value;
  return length;
}

utf8proc_ssize_t utf8proc_encode_char(utf8proc_int32_t code, utf8proc_uint8_t* bytes) {
  const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  constexpr int marks[] = {0, 0xC0, 0xE0, 0xF0};
  for (int i = more; i > 0; --i, code >>= 6)
    bytes[i] = static_cast<utf8proc_uint8_t>(0x80 | (code & 0x3F));
  bytes[0] = static_cast<utf8proc_uint8_t>(marks[more] | code);
  return more + 1;
}

utf8proc_category_t utf8proc_category(utf8proc_int32_t code) {
  static auto& known = *new std::unordered_map<utf8proc_int32_t, utf8proc_category_t>;
  if (code < 0 || code > 0x10FFFF) return UTF8PROC_CATEGORY_CN;
  const auto [found, is_new] = known.try_emplace(code);
  if (is_new) found->second = static_cast<utf8proc_category_t>(unicode_category(code));
  return found->second;
}

const utf8proc_property_t* utf8proc_get_property(utf8proc_int32_t code) {
  static auto& known = *new std::unordered_map<utf8proc_int32_t, utf8proc_property_t>;
  const auto [found, is_new] = known.try_emplace(code);
  if (is_new && code >= 0 && code <= 0x10FFFF) {
    const int facts = unicode_facts(code);
    found->second = {
        facts & 4 ? 230 : 0,
        facts & 2 ? UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC : UTF8PROC_BOUNDCLASS_OTHER,
        (facts & 1) != 0};
  }
  return &found->second;
}

int utf8proc_charwidth(utf8proc_int32_t code) { return code >= 0x1100 ? 2 : 1; }

utf8proc_int32_t utf8proc_tolower(utf8proc_int32_t code) {
  if (code < 0x80) return code >= 'A' && code <= 'Z' ? code + ('a' - 'A') : code;
  return unicode_lower(code);
}

bool utf8proc_grapheme_break_stateful(utf8proc_int32_t before, utf8proc_int32_t after,
                                      utf8proc_int32_t*) {
  return unicode_break(before, after) != 0;
}

utf8proc_ssize_t utf8proc_map(const utf8proc_uint8_t* text, utf8proc_ssize_t size,
                              utf8proc_uint8_t** mapped, utf8proc_option_t) {
  const std::string whole(reinterpret_cast<const char*>(text), static_cast<size_t>(size));
  char* result = unicode_nfkc(whole.c_str());
  *mapped = reinterpret_cast<utf8proc_uint8_t*>(result);
  return result ? static_cast<utf8proc_ssize_t>(std::strlen(result)) : UTF8PROC_ERROR_NOMEM;
}

const char* utf8proc_errmsg(utf8proc_ssize_t) { return "invalid UTF-8"; }
