#include "examples/translate/pairs.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace gradus::translate {
namespace {

enum Flaw { blank_line, no_tab, empty_side, invalid_utf8, nul_byte, usable };

constexpr const char* flaw_names[] = {"of white space only", "without a tab",
                                      "with an empty source or target", "of invalid UTF-8",
                                      "with a NUL byte"};

constexpr const char* expected =
    "expected a UTF-8 text file with a source sentence, a tab and its translation on each line";

Flaw parse(std::string_view line, Pair& pair) {
  const auto tab = line.find('\t');
  if (tab != line.npos) line = line.substr(0, line.find('\t', tab + 1));
  if (!valid_utf8(line)) return invalid_utf8;
  if (line.find('\0') != line.npos) return nul_byte;
  if (blank(line)) return blank_line;
  if (tab == line.npos) return no_tab;
  pair = {std::string(line.substr(0, tab)), std::string(line.substr(tab + 1))};
  return blank(pair.source) || blank(pair.target) ? empty_side : usable;
}

}  // namespace

ReadPairs read_pairs(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    throw std::runtime_error(fmt::format("{}: is a folder; {}", path, expected));
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw std::runtime_error(fmt::format("{}: cannot be opened ({}); {}; check the path", path,
                                         std::strerror(errno), expected));
  return read_pairs(file, path);
}

ReadPairs read_pairs(std::istream& file, const std::string& path) {
  ReadPairs result;
  std::int64_t count[usable] = {}, first[usable] = {}, number = 0;
  const auto take = [&](const std::string& line) {
    ++number;
    Pair pair;
    const Flaw flaw = parse(line, pair);
    if (flaw == usable)
      result.pairs.push_back(std::move(pair));
    else if (count[flaw]++ == 0)
      first[flaw] = number;
  };
  for (std::string line; std::getline(file, line);) {
    if (number == 0 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    if (number > 0 || !file.eof()) {
      take(line.ends_with('\r') ? line.substr(0, line.size() - 1) : line);
      continue;
    }
    const auto lines = lines_of(line);
    for (const std::string& each : lines) take(each);
    if (lines.size() > 1)
      result.warnings.push_back(fmt::format(
          "{}: its lines end in a carriage return alone, as on old Macs; read as {} lines", path,
          lines.size()));
  }
  if (file.bad())
    throw std::runtime_error(
        fmt::format("{}: reading failed after line {}; check the disk", path, number));

  for (int flaw = 0; flaw < usable; ++flaw)
    if (count[flaw] > 0)
      result.warnings.push_back(fmt::format("{}: skipped {} line{} {}, the first at line {}", path,
                                            count[flaw], count[flaw] == 1 ? "" : "s",
                                            flaw_names[flaw], first[flaw]));
  if (result.pairs.empty()) {
    std::string message = number == 0 ? fmt::format("{}: is empty; {}", path, expected)
                                      : fmt::format("{}: no usable pair in {} line{}; {}", path,
                                                    number, number == 1 ? "" : "s", expected);
    for (const auto& warning : result.warnings) message += "\n" + warning;
    throw std::runtime_error(message);
  }
  return result;
}

std::int64_t remove_long(std::vector<Pair>& pairs, Unit source, Unit target,
                         std::int64_t max_source, std::int64_t max_target) {
  return static_cast<std::int64_t>(std::erase_if(pairs, [&](const Pair& pair) {
    return std::ssize(tokens(pair.source, source)) > max_source ||
           std::ssize(tokens(pair.target, target)) > max_target;
  }));
}

}  // namespace gradus::translate
