#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gradus::training {

/// What a text is made of. Its subwords are those of a Vocabulary, which has found them in a text.
enum class Unit { words, characters, code_points, subwords };

/// Characters if most letters are of a script written without spaces (Han, kana, Bopomofo, Thai,
/// Lao, Tibetan, Burmese, Khmer), else words.
Unit unit_of(const std::vector<std::string>& sentences);

/// The one form of a text that training and translating see; normalising it again changes nothing.
///
/// - Invisible characters are removed: Unicode's default ignorable code points (zero-width spaces
///   and joiners, soft hyphens, word joiners, byte-order marks, marks of direction, variation
///   selectors) and control characters. What makes an emoji of several code points stays: the
///   joiner between two pictographs, the tags after a black flag.
/// - Compatibility forms become ordinary ones: NFKC (Unicode Standard Annex 15). Full-width letters
///   and digits, ligatures and superscripts are then letters and digits; … is three dots.
/// - All kinds of white space become one space, with none at the ends.
/// - A character has at most 30 combining marks; further ones are removed.
///
/// Throws std::invalid_argument if `text` is not valid UTF-8.
std::string normalised(std::string_view text);

/// Of words and characters: the tokens of normalised(text), none of which holds white space; each
/// is made of whole grapheme clusters (Unicode Standard Annex 29), what readers take for one
/// character: an emoji sequence, a letter with its marks.
///
/// Words: in lower case, with ’ read as '. One token is a run of letters, marks, numbers and _,
/// with apostrophes inside it and, between digits, with full stops, commas and colons (don't,
/// 10,000, 3:30); so is every other character. A hyphen that does not join two words is read as a
/// dash (–). Characters: one token each. The marks , ! ? : ; ( ) have their full-width forms beside
/// a Chinese or Japanese character, as is usual there.
///
/// Code points: those of the text as it stands, white space and line ends too: what a model needs
/// that is to write text rather than sentences. Throws std::invalid_argument if `text` is not valid
/// UTF-8, and for subwords.
std::vector<std::string> tokens(std::string_view text, Unit unit);

/// normalised(text) with the full-width marks of characters beside Chinese and Japanese ones; its
/// case, spaces and other marks are as they were. Normalising it again gives the same tokens.
std::string sentence(std::string_view text);

/// The text of tokens. Words are joined by spaces, with none before closing punctuation, after
/// opening punctuation and around hyphens; characters, code points and subwords are concatenated,
/// and the ▁ of subwords is a space.
std::string join(const std::vector<std::string>& tokens, Unit unit);

/// Letters in lower case, each by itself. Throws std::invalid_argument if `text` is not valid
/// UTF-8.
std::string in_lower_case(std::string_view text);

/// The code points of UTF-8 text. Throws std::invalid_argument if it is not valid.
std::u32string code_points(std::string_view text);
/// The reverse.
std::string utf8(std::u32string_view points);

bool valid_utf8(std::string_view text);

/// The lines of a text that holds carriage returns and no line feed: that is how lines ended on a
/// Mac before 2001. Of any other text the whole, without a carriage return at its end.
std::vector<std::string> lines_of(std::string_view text);

/// Whether text is valid UTF-8 without a token: nothing but white space and invisible characters.
bool blank(std::string_view text);

}  // namespace gradus::training
