#pragma once

#include <functional>
#include <vector>

#include "examples/training/train.h"
#include "examples/translate/trained.h"

namespace gradus::translate {

/// What an epoch's validation measures.
inline const std::vector<Figure> figures = {{"valid_loss", "valid loss {:.3f}"},
                                            {"bleu", "BLEU {:.2f}"},
                                            {"chrf", "chrF {:.2f}"},
                                            {"exact_match", "exact {:.1f} %"}};

/// The figures of an epoch as they stand in its report.
Evaluation evaluation_of(const EpochReport& epoch);

/// "runs/a.epoch7.safetensors" for "runs/a.safetensors": where the model of an epoch is kept.
std::string path_of_epoch(const std::string& model_path, int64_t epoch);

/// The Task of examples/training/train.h: batches of similar length, shuffled; the loss per
/// target token; the figures on `valid`, of which BLEU decides. Also keeps the models of the last
/// `keep` epochs in files. Refers to what it is given. Throws Error when something else than a
/// model of this translator is in the place of one.
struct TranslationTask {
  TranslationTask(Trained& trained, const std::vector<Pair>& train_pairs,
                  const std::vector<Pair>& valid, const TrainOptions& options, int64_t keep = 0);

  std::vector<Batch> batches;
  int64_t epoch = 0;
  Task<Translator, Batch> task;
};

/// Trains `trained` and leaves the best model in it and in the file.
TrainReport train(Trained& trained, const std::vector<Pair>& train_pairs,
                  const std::vector<Pair>& valid, const TrainOptions& options,
                  terminal::Progress& progress, const std::function<bool()>& stop);
/// The same in view of the user.
TrainReport train(Trained& trained, const std::vector<Pair>& train_pairs,
                  const std::vector<Pair>& valid, const TrainOptions& options, int64_t keep = 0);

}  // namespace gradus::translate
