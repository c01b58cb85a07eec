#include "examples/translate/pairs.h"

namespace gradus::translate {
namespace {

const LineFormat format{
    "pair",
    "expected a UTF-8 text file with a source sentence, a tab and its translation on each line"};

Flaw parse(std::string_view line, Pair& pair) {
  const auto tab = line.find('\t');
  if (tab != line.npos) line = line.substr(0, line.find('\t', tab + 1));
  if (const Flaw flaw = flaw_of(line); flaw != usable) return flaw;
  if (tab == line.npos) return "without a tab";
  pair = {std::string(line.substr(0, tab)), std::string(line.substr(tab + 1))};
  return blank(pair.source) || blank(pair.target) ? "with an empty source or target" : usable;
}

/// Adds the usable ones to `pairs`.
auto into(std::vector<Pair>& pairs) {
  return [&pairs](std::string_view line, std::int64_t) {
    Pair pair;
    const Flaw flaw = parse(line, pair);
    if (flaw == usable) pairs.push_back(std::move(pair));
    return flaw;
  };
}

}  // namespace

ReadPairs read_pairs(const std::string& path) {
  ReadPairs result;
  result.warnings = read_lines(path, format, into(result.pairs));
  return result;
}

ReadPairs read_pairs(std::istream& file, const std::string& name) {
  ReadPairs result;
  result.warnings = read_lines(file, name, format, into(result.pairs));
  return result;
}

std::int64_t remove_long(std::vector<Pair>& pairs, const TokenCount& source,
                         const TokenCount& target, std::int64_t max_source,
                         std::int64_t max_target) {
  return static_cast<std::int64_t>(std::erase_if(pairs, [&](const Pair& pair) {
    return source(pair.source) > max_source || target(pair.target) > max_target;
  }));
}

std::int64_t remove_long(std::vector<Pair>& pairs, Unit source, Unit target,
                         std::int64_t max_source, std::int64_t max_target) {
  const auto count = [](Unit unit) {
    return [unit](std::string_view text) { return std::ssize(tokens(text, unit)); };
  };
  return remove_long(pairs, count(source), count(target), max_source, max_target);
}

}  // namespace gradus::translate
