#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

/// Reading files of lines: every reader of the applications says the same of bad lines.
namespace gradus::training {

/// What the lines of a file should be, for messages.
struct LineFormat {
  std::string what;      ///< "pair": "no usable pair in 7 lines"
  std::string expected;  ///< "expected a UTF-8 text file with …"
};

/// What is wrong with a line, as it stands in "skipped 3 lines …"; nullptr for a usable one.
using Flaw = const char*;
inline constexpr Flaw usable = nullptr, blank_line = "of white space only",
                      invalid_utf8 = "of invalid UTF-8", nul_byte = "with a NUL byte";

/// One of the three flaws, or usable.
Flaw flaw_of(std::string_view line);

/// Calls `take(line, number)` for every line of a file; returns what to tell of the lines that it
/// found a flaw in, one message per flaw, in the order in which they occur: "train.tsv: skipped 3
/// lines of invalid UTF-8, the first at line 17". `take` may throw an Error; its message then
/// begins with "FILE, line 17: ".
///
/// A byte-order mark and CRLF line ends are taken away; line ends of a carriage return alone are
/// accepted, with a warning. Throws std::runtime_error if the file cannot be read or holds no
/// usable line.
std::vector<std::string> read_lines(
    const std::string& path, const LineFormat& format,
    const std::function<Flaw(std::string_view line, int64_t number)>& take);
/// The same from a stream; messages begin with `name`.
std::vector<std::string> read_lines(
    std::istream& file, const std::string& name, const LineFormat& format,
    const std::function<Flaw(std::string_view line, int64_t number)>& take);

/// The lines of a text file, each with its line end, blank ones too; without those of invalid UTF-8
/// or with a NUL byte, of which a warning on standard error tells.
std::string read_text(const std::string& path);

}  // namespace gradus::training
