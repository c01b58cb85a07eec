#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gradus::terminal {

/// `text` made safe for a terminal and for XML: every control character (ESC, BEL, DEL, C1 …), line
/// separator, mark of direction (which would show the rest backwards), noncharacter and byte that
/// is not UTF-8 becomes U+FFFD. Names from files pass through it wherever they are shown.
std::string printable(std::string_view text);

/// Columns that `printable(text)` takes on a terminal: 2 for a wide (Chinese) character, 0 for a
/// combining mark, 1 for most others (Unicode Standard Annex 11).
int display_width(std::string_view text);

/// `printable(text)` cut to at most `columns`; what was cut is shown as "…".
std::string fit(std::string_view text, int columns);

/// `fit` of each of them.
std::vector<std::string> fit(const std::vector<std::string>& texts, int columns);

/// `text` with spaces before or after it, so that it takes at least `columns`.
std::string align_right(std::string_view text, int columns);
std::string align_left(std::string_view text, int columns);

}  // namespace gradus::terminal
