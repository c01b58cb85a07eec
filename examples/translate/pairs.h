#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "examples/training/lines.h"
#include "examples/training/text.h"

namespace gradus::translate {

using namespace training;

/// A sentence and its translation, both valid UTF-8 and neither of them blank.
struct Pair {
  std::string source, target;
};

/// The usable pairs of a file, and what read_lines() tells of it.
struct ReadPairs {
  std::vector<Pair> pairs;
  std::vector<std::string> warnings;
};

/// Reads a tab-separated UTF-8 file of source, target and further columns, which are ignored.
/// Skipped and counted: blank lines, lines without a tab, an empty source or target (see blank()),
/// invalid UTF-8, NUL bytes. Throws std::runtime_error if the file cannot be read or holds no
/// usable pair.
ReadPairs read_pairs(const std::string& path);
/// The same from a stream; messages begin with `name`.
ReadPairs read_pairs(std::istream& file, const std::string& name);

/// How many tokens a text has.
using TokenCount = std::function<std::int64_t(std::string_view text)>;

/// Removes the pairs of more than `max_source` or `max_target` tokens; returns how many those were.
std::int64_t remove_long(std::vector<Pair>& pairs, const TokenCount& source,
                         const TokenCount& target, std::int64_t max_source,
                         std::int64_t max_target);
/// The same with the tokens of a unit that is not that of subwords.
std::int64_t remove_long(std::vector<Pair>& pairs, Unit source, Unit target,
                         std::int64_t max_source, std::int64_t max_target);

}  // namespace gradus::translate
