#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gradus::translate {

/// What a sentence is made of.
enum class Unit { words, characters };

/// Characters if most letters are of a script written without spaces (Han, kana, Bopomofo, Thai,
/// Lao, Tibetan, Burmese, Khmer), else words.
Unit unit_of(const std::vector<std::string>& sentences);

/// Words: in lower case, with ’ read as '; a run of letters, marks, numbers and _ with apostrophes
/// inside is one token, and so is every other character that is not white space.
/// Characters: the code points that are not white space.
/// Throws std::invalid_argument if `text` is not valid UTF-8.
std::vector<std::string> tokens(std::string_view text, Unit unit);

/// The text of tokens. Words are joined by spaces, with none before closing punctuation, after
/// opening punctuation, around hyphens and inside of numbers; characters are concatenated.
std::string join(const std::vector<std::string>& tokens, Unit unit);

/// The code points of UTF-8 text. Throws std::invalid_argument if it is not valid.
std::u32string code_points(std::string_view text);

bool valid_utf8(std::string_view text);

/// Whether valid UTF-8 text holds nothing but white space.
bool blank(std::string_view text);

}  // namespace gradus::translate
