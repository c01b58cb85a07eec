#pragma once

#include <string>
#include <string_view>

namespace gradus {

/// Throws Error, which begins with `what`, unless `text` is one JSON value in UTF-8 in which lists
/// and objects are nested at most `deepest` deep and no object has two members of one name. What
/// passed may be read, copied and printed by recursion. Takes time in proportion to the text, and
/// memory to its names.
void check_json(const std::string& what, std::string_view text, int deepest);

/// `text` in double quotes; control characters and bytes that are not UTF-8 do not remain in it.
std::string in_quotes(const std::string& text);

}  // namespace gradus
