#pragma once

#include <map>
#include <optional>

#include "examples/answer/memory_network.h"
#include "examples/answer/reduction_network.h"
#include "examples/answer/stories.h"
#include "examples/terminal/draw.h"
#include "examples/training/report.h"

namespace gradus::answer {

inline constexpr const char* kind_of_model = "question answerer";

inline const std::map<std::string, Tying> tyings{{"adjacent", Tying::adjacent},
                                                 {"layer-wise", Tying::layer_wise}};

enum class Architecture { reduction, memory, both };
inline const std::map<std::string, Architecture> architectures{
    {"reduction", Architecture::reduction},
    {"memory", Architecture::memory},
    {"both", Architecture::both}};

/// A network, or two of which the logits are added, with the words that it knows.
struct Answerer {
  training::Vocabulary vocabulary;
  std::optional<MemoryNetwork> memory;
  std::optional<ReductionNetwork> reduction;

  void parameters(auto&& visit) {
    if (memory) visit("memory", *memory);
    if (reduction) visit("reduction", *reduction);
  }
};
Answerer load(const std::string& path);

struct LearnOptions {
  Architecture architecture = Architecture::reduction;
  MemoryOptions model{.size = 48, .hops = 2};  ///< a reduction network has its size and hops alone
  // Of the memory network (its section 4.1):
  int linear_start = 0;  ///< epochs without the softmax
  double noise = 0.1;    ///< empty memories in training, by sentence, where it stands alone
};

/// Trains on nine stories in ten of `stories`, and keeps the model with the fewest wrong answers to
/// the others. Throws Error when the questions have fewer than two different answers, and for too
/// few stories.
struct Learned {
  Answerer answerer;
  training::TrainReport report;
};
Learned learn(const Stories& stories, const LearnOptions& options,
              const training::TrainOptions& training);
extern const std::vector<training::Figure> figures;

/// Right answers by kind of question.
training::Tallies scores(const Answerer& answerer, const Stories& stories);

/// An answer, and how much each hop looked at each sentence.
struct Answer {
  std::string text;
  double probability;
  terminal::AttentionMap attention;  ///< a row for each sentence, a column for each hop
};
/// Throws Error for a story without sentences, and when no word of the question is known.
Answer answer(const Answerer& answerer, const std::vector<std::string>& story,
              const std::string& question);

}  // namespace gradus::answer
