#include "examples/training/lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "core/tensor/error.h"
#include "examples/terminal/output.h"
#include "examples/training/text.h"

namespace gradus::training {

namespace {

using Take = std::function<Flaw(std::string_view, int64_t)>;

/// Lines with one flaw.
struct Skipped {
  Flaw flaw;
  int64_t count, first;
};

}  // namespace

Flaw flaw_of(std::string_view line) {
  if (!valid_utf8(line)) return invalid_utf8;
  if (line.find('\0') != line.npos) return nul_byte;
  return blank(line) ? blank_line : usable;
}

std::vector<std::string> read_lines(const std::string& path, const LineFormat& format,
                                    const Take& take) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    throw std::runtime_error(fmt::format("{}: is a folder; {}", path, format.expected));
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw std::runtime_error(fmt::format("{}: cannot be opened ({}); {}; check the path", path,
                                         std::strerror(errno), format.expected));
  return read_lines(file, path, format, take);
}

std::vector<std::string> read_lines(std::istream& file, const std::string& name,
                                    const LineFormat& format, const Take& take) {
  std::vector<std::string> warnings;
  std::vector<Skipped> skipped;
  int64_t number = 0, taken = 0;
  const auto read = [&](std::string_view line) {
    ++number;
    const Flaw flaw =
        errors_at(fmt::format("{}, line {}", name, number), [&] { return take(line, number); });
    if (flaw == usable) {
      ++taken;
      return;
    }
    const auto same = std::ranges::find(skipped, std::string_view(flaw), &Skipped::flaw);
    if (same == skipped.end())
      skipped.push_back({flaw, 1, number});
    else
      ++same->count;
  };
  for (std::string line; std::getline(file, line);) {
    if (number == 0 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    if (number > 0 || !file.eof()) {
      read(line.ends_with('\r') ? line.substr(0, line.size() - 1) : line);
      continue;
    }
    const auto lines = lines_of(line);
    for (const std::string& each : lines) read(each);
    if (lines.size() > 1)
      warnings.push_back(fmt::format(
          "{}: its lines end in a carriage return alone, as on old Macs; read as {} lines", name,
          lines.size()));
  }
  if (file.bad())
    throw std::runtime_error(
        fmt::format("{}: reading failed after line {}; check the disk", name, number));

  const auto plural = [](int64_t count) { return count == 1 ? "" : "s"; };
  for (const auto& [flaw, count, first] : skipped)
    warnings.push_back(fmt::format("{}: skipped {} line{} {}, the first at line {}", name, count,
                                   plural(count), flaw, first));
  if (taken == 0) {
    std::string message = number == 0
                              ? fmt::format("{}: is empty; {}", name, format.expected)
                              : fmt::format("{}: no usable {} in {} line{}; {}", name, format.what,
                                            number, plural(number), format.expected);
    for (const auto& warning : warnings) message += "\n" + warning;
    throw std::runtime_error(message);
  }
  return warnings;
}

std::string read_text(const std::string& path) {
  std::string text;
  const auto take = [&](std::string_view line, int64_t) {
    const Flaw flaw = flaw_of(line);
    if (flaw != usable && flaw != blank_line) return flaw;
    text.append(line) += '\n';
    return usable;
  };
  for (const std::string& warning : read_lines(path, {"line", "expected a UTF-8 text file"}, take))
    terminal::message(warning);
  return text;
}

}  // namespace gradus::training
