#pragma once

#include <cstddef>
#include <cstdint>

/// Those functions of the library utf8proc that the text code calls, told by what a browser knows
/// of Unicode.
using utf8proc_uint8_t = uint8_t;
using utf8proc_int32_t = int32_t;
using utf8proc_ssize_t = ptrdiff_t;

/// In the order of utf8proc's own enumeration.
enum utf8proc_category_t {
  UTF8PROC_CATEGORY_CN,
  UTF8PROC_CATEGORY_LU,
  UTF8PROC_CATEGORY_LL,
  UTF8PROC_CATEGORY_LT,
  UTF8PROC_CATEGORY_LM,
  UTF8PROC_CATEGORY_LO,
  UTF8PROC_CATEGORY_MN,
  UTF8PROC_CATEGORY_MC,
  UTF8PROC_CATEGORY_ME,
  UTF8PROC_CATEGORY_ND,
  UTF8PROC_CATEGORY_NL,
  UTF8PROC_CATEGORY_NO,
  UTF8PROC_CATEGORY_PC,
  UTF8PROC_CATEGORY_PD,
  UTF8PROC_CATEGORY_PS,
  UTF8PROC_CATEGORY_PE,
  UTF8PROC_CATEGORY_PI,
  UTF8PROC_CATEGORY_PF,
  UTF8PROC_CATEGORY_PO,
  UTF8PROC_CATEGORY_SM,
  UTF8PROC_CATEGORY_SC,
  UTF8PROC_CATEGORY_SK,
  UTF8PROC_CATEGORY_SO,
  UTF8PROC_CATEGORY_ZS,
  UTF8PROC_CATEGORY_ZL,
  UTF8PROC_CATEGORY_ZP,
  UTF8PROC_CATEGORY_CC,
  UTF8PROC_CATEGORY_CF,
  UTF8PROC_CATEGORY_CS,
  UTF8PROC_CATEGORY_CO
};
enum { UTF8PROC_BOUNDCLASS_OTHER, UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC };
struct utf8proc_property_t {
  int combining_class, boundclass;
  bool ignorable;
};
enum utf8proc_option_t { UTF8PROC_STABLE = 2, UTF8PROC_COMPAT = 4, UTF8PROC_COMPOSE = 8 };
enum { UTF8PROC_ERROR_NOMEM = -1, UTF8PROC_ERROR_INVALIDUTF8 = -3 };

utf8proc_ssize_t utf8proc_iterate(const utf8proc_uint8_t* text, utf8proc_ssize_t size,
                                  utf8proc_int32_t* code);
utf8proc_ssize_t utf8proc_encode_char(utf8proc_int32_t code, utf8proc_uint8_t* bytes);
utf8proc_category_t utf8proc_category(utf8proc_int32_t code);
const utf8proc_property_t* utf8proc_get_property(utf8proc_int32_t code);
int utf8proc_charwidth(utf8proc_int32_t code);
utf8proc_int32_t utf8proc_tolower(utf8proc_int32_t code);
bool utf8proc_grapheme_break_stateful(utf8proc_int32_t before, utf8proc_int32_t after,
                                      utf8proc_int32_t* state);
/// Only NFKC, whatever the options.
utf8proc_ssize_t utf8proc_map(const utf8proc_uint8_t* text, utf8proc_ssize_t size,
                              utf8proc_uint8_t** mapped, utf8proc_option_t options);
const char* utf8proc_errmsg(utf8proc_ssize_t error);
