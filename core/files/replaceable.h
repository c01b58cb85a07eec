#pragma once

#include <functional>
#include <string>
#include <string_view>

/// Whether a program may write a file where one stands.
namespace gradus {

/// Nothing is written over a file that was not made for it: only over an empty one and over those
/// that are `ours`, by their beginning or their metadata. Throws Error where another file stands,
/// which names `what` belongs there.
void check_replaceable(const std::string& path, const std::function<bool(const std::string&)>& ours,
                       std::string_view what);

/// Whether the file can be read and begins so.
bool begins_with(const std::string& path, std::string_view beginning);
/// Whether the file is of safetensors whose metadata say "format": `format`.
bool has_format(const std::string& path, std::string_view format);

}  // namespace gradus
