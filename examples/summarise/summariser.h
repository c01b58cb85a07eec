#pragma once

#include "examples/summarise/pointer_generator.h"
#include "examples/terminal/draw.h"
#include "examples/training/train.h"

namespace gradus::summarise {

inline constexpr const char* kind_of_model = "summariser";

struct Options {
  PointerOptions model;
  int64_t min_count = 5;  ///< words that occur less often are not in the vocabulary
  int64_t longest_text = 400, longest_summary = 100;  ///< in words; further ones are left out
  double coverage_start = 0.4;                        ///< share of the epochs before its loss joins
};

/// A network with the words that it knows.
struct Summariser {
  training::Vocabulary vocabulary;
  Options options;
  PointerGenerator network;

  void parameters(auto&& visit) { visit("network", network); }
};
Summariser load(const std::string& path);

/// Trains on nine articles in ten, and keeps the model with the lowest loss on the others. Throws
/// Error for fewer than 10 articles, and for fewer than two words that occur often enough.
struct Learned {
  Summariser summariser;
  training::TrainReport report;
};
Learned learn(const std::vector<Article>& articles, const Options& options,
              const training::TrainOptions& training);
extern const std::vector<training::Figure> figures;

struct Written {
  std::string text;
  terminal::AttentionMap
      map;  ///< a row for each word of the text, a column for each of the summary
};
/// Of articles without summaries, or with ones that are not looked at. Throws Error for a text of
/// which no word is known.
std::vector<Written> summarise(const Summariser& summariser, const std::vector<Article>& articles);

/// Means over articles, all in %.
struct Scores {
  double rouge_1 = 0, rouge_2 = 0, rouge_l = 0;  ///< F1
  double repeated = 0;  ///< trigrams of a summary that have occurred in it before
  double names = 0;     ///< words of the references that are in a text and not in the vocabulary,
                        ///< which a summary has too, in the same order
};
/// Of summaries for these articles.
Scores scores(const std::vector<Article>& articles, const std::vector<std::string>& summaries,
              const training::Vocabulary& vocabulary);

/// The first sentence of a text.
std::string first_sentence(const std::string& text);

}  // namespace gradus::summarise
