#pragma once

#include "examples/look/network.h"
#include "examples/look/pictures.h"
#include "examples/training/report.h"

namespace gradus::look {

inline constexpr const char* kind_of_model = "looker";

/// A network with the words and the answers that it knows.
struct Looker {
  training::Vocabulary vocabulary;
  std::vector<std::string> answers;
  LookNetwork network;

  void parameters(auto&& visit) { visit("network", network); }
};
Looker load(const std::string& path);

/// Trains on nine pictures in ten, and keeps the model with the most right answers to the questions
/// about the others. Throws Error for fewer than 10 pictures, and when the questions have fewer
/// than two different words or answers.
struct Learned {
  Looker looker;
  training::TrainReport report;
};
Learned learn(const Examples& examples, const LookOptions& options,
              const training::TrainOptions& training);
extern const std::vector<training::Figure> figures;

/// Right answers by kind of question.
training::Tallies scores(const Looker& looker, const Examples& examples);

/// An answer, and how much each hop looked at each patch, on the mean over its heads.
struct Answer {
  std::string text;
  double probability;
  std::vector<std::vector<double>> weights;  ///< a row of patch_count for each hop
};
/// Throws Error when no word of the question is known.
Answer answer(const Looker& looker, const Picture& picture, const std::string& question);

}  // namespace gradus::look
