#pragma once

#include <string>
#include <vector>

#include "core/tensor/tensor.h"
#include "examples/training/vocabulary.h"
#include "layers/batches.h"

namespace gradus::summarise {

struct Article {
  std::string text, summary;
};

/// Reads a tab-separated UTF-8 file of texts and their summaries. Tells of skipped lines on
/// standard error. Throws Error with file and line for a line without two columns, and for an empty
/// text or summary.
std::vector<Article> read_articles(const std::string& path);

/// An article as ids of its own extended vocabulary: the words of the text that the vocabulary does
/// not hold have the ids after those that it does, in the order in which they come.
struct Encoded {
  /// At most so many words of each; further ones are left out.
  Encoded(const Article& article, const training::Vocabulary& vocabulary, int64_t longest_text,
          int64_t longest_summary);

  std::vector<std::string> words;       ///< of the text
  std::vector<std::string> unknown;     ///< those that are not in the vocabulary, each once
  std::vector<int64_t> source, target;  ///< target ends with <eos>
};

/// What is learned at once.
struct Batch {
  explicit Batch(const std::vector<const Encoded*>& articles, int64_t vocabulary);

  PaddedSequences source, target;  ///< in the extended vocabulary
  int64_t words;                   ///< of the extended vocabulary, the largest in the batch
};

}  // namespace gradus::summarise
