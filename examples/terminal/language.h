#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <unordered_map>

/// What a program says, in the reader's language. The English stands in the code; other languages
/// stand in tables.
namespace gradus::terminal {

/// What English texts are in another language. Values that come in another order are numbered:
/// {"{} of {}", "共 {1} 个，已有 {0} 个"}.
using Phrases = std::unordered_map<std::string_view, std::string_view>;

/// From now on texts are said in these words; nullptr: in English. Not while threads are saying
/// something.
void speak(const Phrases* phrases);

/// What `english` is in the language that is spoken, or itself where there are no words for it.
std::string_view phrase(std::string_view english);

/// The same of a text with values in it: said("{} of {}", done, all).
template <class... T>
std::string said(fmt::format_string<T...> english, T&&... values) {
  const fmt::string_view text = english;
  return fmt::vformat(phrase({text.data(), text.size()}), fmt::make_format_args(values...));
}

}  // namespace gradus::terminal
