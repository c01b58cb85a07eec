#pragma once

#include "examples/training/vocabulary.h"
#include "examples/translate/pairs.h"

namespace gradus::translate {

/// Of which tokens texts are made.
struct TextOptions {
  std::string source_unit = "auto", target_unit = "auto";  ///< auto: chosen by script
  int64_t min_count = 2;                                   ///< rarer ones become <unk>
  int64_t max_source = 100, max_target = 100;              ///< of training pairs; 0: no limit
  SubwordOptions subwords = {};                            ///< its min_count is that above
  bool joint = false;                                      ///< both sides have the subwords of both
};

struct Vocabularies {
  Vocabulary source, target;
  int64_t skipped;  ///< pairs that were longer than the limits
};

/// The vocabularies of training pairs, from which those that are too long are removed: subwords are
/// found in all pairs, for it is they that are counted; words and characters in those that remain.
/// Throws Error when none remains, when a vocabulary would be empty or has no room for its
/// characters; `name` is the file's.
Vocabularies make_vocabularies(const std::string& name, std::vector<Pair>& pairs,
                               const TextOptions& options);

}  // namespace gradus::translate
