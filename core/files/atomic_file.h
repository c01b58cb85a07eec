#pragma once

#include <span>
#include <string>
#include <string_view>

namespace gradus {

/// Makes `parts`, one after the other, the new contents of the file at `path`: all or nothing.
///
/// They are written to a temporary file in the same folder (`path` + ".tmp0"), which is synced and
/// then renamed: whoever reads `path`, even after a power cut, finds either the earlier file or
/// the new one, whole. Symbolic links are followed, an earlier file's permissions are kept. What is
/// not a file but can be written (a pipe, /dev/stdout) is written directly.
/// Throws Error with the path, the step that failed and the system's reason; then the temporary
/// file is gone and an earlier file is unchanged. Only a killed process leaves a temporary file.
void write_file(const std::string& path, std::span<const std::string_view> parts);
void write_file(const std::string& path, std::string_view text);

}  // namespace gradus
