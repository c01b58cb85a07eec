#include "examples/translate/vocabularies.h"

#include <fmt/format.h>

#include <optional>
#include <stdexcept>

#include "core/tensor/error.h"

namespace gradus::translate {

namespace {

/// One side of each pair.
std::vector<std::string> texts_of(const std::vector<Pair>& pairs, std::string Pair::*side) {
  std::vector<std::string> texts;
  for (const Pair& pair : pairs) texts.push_back(pair.*side);
  return texts;
}

/// One side while its vocabulary is being made.
struct Side {
  Side(const char* name, const std::string& unit, const std::vector<std::string>& texts)
      : name(name),
        unit(unit == "words"        ? Unit::words
             : unit == "characters" ? Unit::characters
             : unit == "subwords"   ? Unit::subwords
                                    : unit_of(texts)) {}

  int64_t count(std::string_view text) const {
    return std::ssize(vocabulary ? vocabulary->tokens(text) : tokens(text, unit));
  }

  const char* name;
  Unit unit;
  std::optional<Vocabulary> vocabulary = {};
};

/// What make() makes; its complaint then names the file, the side and the option.
Vocabulary made(const std::string& file, const char* side, const char* option, auto&& make) {
  try {
    return make();
  } catch (const std::invalid_argument& error) {
    throw Error(fmt::format("{}: {} {} ({})", file, side, error.what(), option));
  }
}

}  // namespace

Vocabularies make_vocabularies(const std::string& file, std::vector<Pair>& pairs,
                               const TextOptions& options) {
  const auto sources = texts_of(pairs, &Pair::source), targets = texts_of(pairs, &Pair::target);
  Side source("source", options.source_unit, sources),
      target("target", options.target_unit, targets);
  SubwordOptions subwords = options.subwords;
  subwords.min_count = options.min_count;
  const auto found_in = [&](const char* name, const std::vector<std::string>& texts) {
    return made(file, name, "--subwords", [&] { return Vocabulary(Subwords(texts, subwords)); });
  };
  if (options.joint) {
    std::vector<std::string> both = sources;
    both.insert(both.end(), targets.begin(), targets.end());
    source.vocabulary = target.vocabulary = found_in("joint", both);
  } else {
    if (source.unit == Unit::subwords) source.vocabulary = found_in("source", sources);
    if (target.unit == Unit::subwords) target.vocabulary = found_in("target", targets);
  }

  const auto limit = [](int64_t most) { return most > 0 ? most : INT64_MAX; };
  const int64_t skipped = remove_long(
      pairs, [&](std::string_view text) { return source.count(text); },
      [&](std::string_view text) { return target.count(text); }, limit(options.max_source),
      limit(options.max_target));
  if (pairs.empty())
    throw Error(fmt::format("{}: no pair is within --max-source {} and --max-target {}; raise them",
                            file, options.max_source, options.max_target));
  const auto complete = [&](Side& side, std::string Pair::*texts) {
    if (!side.vocabulary)
      side.vocabulary = made(file, side.name, "--min-count", [&] {
        return Vocabulary::of_texts(texts_of(pairs, texts), side.unit, options.min_count);
      });
  };
  complete(source, &Pair::source);
  complete(target, &Pair::target);
  return {std::move(*source.vocabulary), std::move(*target.vocabulary), skipped};
}

}  // namespace gradus::translate
