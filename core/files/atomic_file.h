#pragma once

#include <span>
#include <string>
#include <string_view>

namespace gradus {

/// Makes `parts`, one after the other, the new contents of the file at `path`: all or nothing.
///
/// They are written to a temporary file in the same folder (`path` + ".tmp0"), which is synced and
/// then renamed: whoever reads `path`, even after a power cut, finds either the earlier file or
/// the new one, whole. Symbolic links are followed; an earlier file's permissions are kept, and its
/// owner where the system allows it. Throws Error with the path, the step that failed, the system's
/// reason, and what has become of an earlier file: it is unchanged, except where only the last
/// step, syncing the folder, has failed. The temporary file is gone then; only a killed process
/// leaves one.
///
/// What is not a file but can be written (a pipe, a device), and what a process has open already
/// (/dev/stdout, /dev/fd/3, /proc/PROCESS/fd/3), is written directly and never replaced, also where
/// a file stands behind it: after what the process has written there, or at its end.
void write_file(const std::string& path, std::span<const std::string_view> parts);
void write_file(const std::string& path, std::string_view text);

/// Whether write_file() would write there directly.
bool is_written_directly(const std::string& path);

}  // namespace gradus
