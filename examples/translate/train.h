#pragma once

#include <functional>
#include <string>
#include <vector>

#include "examples/terminal/progress.h"
#include "examples/translate/trained.h"

namespace gradus::translate {

struct TrainOptions {
  int epochs = 10;
  int64_t batch_size = 64;
  double learning_rate = 1e-3;  ///< of Adam
  bool decay = false;           ///< let the rate fall to 0 along a cosine, over all epochs
  int64_t warm_up = 0;          ///< steps in which the rate rises; then, without decay, it falls
                                ///< with the inverse square root (Vaswani et al. 2017, equation 3)
  double clip = 5;              ///< the gradient's global norm at most
  int patience = 5;             ///< stop after so many epochs without a better BLEU
  uint64_t seed = 1;
  std::string model_path;  ///< the best model; beside it "….checkpoint" for resuming
  bool resume = false;
};

struct EpochReport {
  int epoch = 0;
  double train_loss = 0;  ///< per target token, while training
  Evaluation valid;
  double tokens_per_second = 0, seconds = 0;  ///< of this epoch: training alone; all of it
  double peak_memory_mib = 0;
};

struct TrainReport {
  std::vector<EpochReport> epochs;
  int best = -1;             ///< index of the epoch whose model was kept; −1 for none
  bool interrupted = false;  ///< stopped by `stop`; the checkpoint continues from there
};

/// Trains `trained` and leaves the best model in it and in `model_path`: the one with the highest
/// BLEU on `valid` or, where that ties, the lowest loss. The order of batches and the dropout
/// depend on the seed alone, so a resumed run has the same bits as an uninterrupted one.
/// `stop` is asked after every batch.
/// Throws Error when a gradient is not finite, or a checkpoint does not fit model, data and
/// options.
TrainReport train(Trained& trained, const std::vector<Pair>& train_pairs,
                  const std::vector<Pair>& valid, const TrainOptions& options,
                  terminal::Progress& progress, const std::function<bool()>& stop);

/// The largest resident size of this process so far, in MiB.
double peak_memory_mib();

}  // namespace gradus::translate
