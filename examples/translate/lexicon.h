#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gradus::translate {

/// A word or phrase of the lexicon: the cells of its table row, by column name.
using Word = std::map<std::string, std::string, std::less<>>;

/// The words of a category ("thing", "who"), in table order. A number at the end is ignored, so
/// that a pattern may have two slots of a category ("who", "who2").
/// Throws std::invalid_argument for an unknown category.
const std::vector<Word>& words(std::string_view category);

/// A form of a word in English: inflected from the column "en" for "s" (he plays), "ed" (played),
/// "en" (has played), "ing" (playing) and "plural"; "" is the column "en" itself, any other form
/// the column of that name. Phrases inflect their head: the first word of a verb phrase
/// (throws away), the word before "of" of a noun phrase (pairs of shoes).
std::string english_form(const Word& word, std::string_view form);

/// A form of a word in Chinese: "" is the column "zh" without its space, which parts a verb from
/// its object; "verb" and "object" are the two sides of that space; any other form is the column
/// of that name.
std::string chinese_form(const Word& word, std::string_view form);

}  // namespace gradus::translate
