#pragma once

#include <map>
#include <variant>

#include "examples/answer/memory_network.h"
#include "examples/answer/reduction_network.h"
#include "examples/answer/stories.h"
#include "examples/terminal/draw.h"
#include "examples/training/train.h"

namespace gradus::answer {

inline constexpr const char* kind_of_model = "question answerer";

inline const std::map<std::string, Tying> tyings{{"adjacent", Tying::adjacent},
                                                 {"layer-wise", Tying::layer_wise}};

enum class Architecture { reduction, memory };
inline const std::map<std::string, Architecture> architectures{
    {"reduction", Architecture::reduction}, {"memory", Architecture::memory}};

/// A network with the words that it knows.
struct Answerer {
  training::Vocabulary vocabulary;
  std::variant<ReductionNetwork, MemoryNetwork> network;

  void parameters(auto&& visit) {
    std::visit([&](auto& one) { visit("network", one); }, network);
  }
};
Answerer load(const std::string& path);

struct LearnOptions {
  Architecture architecture = Architecture::reduction;
  MemoryOptions model{.size = 48, .hops = 2};  ///< a reduction network has its size and hops alone
  // What follows is for the memory network alone (its section 4.1).
  int linear_start = 0;  ///< epochs without the softmax
  double noise = 0.1;    ///< empty memories in training, by sentence
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
struct Score {
  int64_t right = 0, asked = 0;
  double accuracy() const { return asked == 0 ? 0 : 100.0 * double(right) / double(asked); }
};
std::map<std::string, Score> scores(const Answerer& answerer, const Stories& stories);

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
