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
  bool decay = false;           ///< decrease the rate to 0 along a cosine, over all epochs
  int64_t warm_up = 0;          ///< steps in which the rate increases; then, without decay, it
                                ///< decreases with the inverse square root of the step (Vaswani
                                ///< et al. 2017, equation 3)
  double clip = 5;              ///< maximum global norm of the gradients
  int patience = 5;             ///< stop after this many epochs without a better BLEU
  uint64_t seed = 1;
  std::string model_path;  ///< of the best model; "….checkpoint" beside it is for resuming
  bool resume = false;
};

struct EpochReport {
  int epoch = 0;
  double train_loss = 0;  ///< per target token, while training
  Evaluation valid;
  double tokens_per_second = 0;  ///< of training alone
  double seconds = 0;            ///< of the whole epoch
  double peak_memory_mib = 0;
};

struct TrainReport {
  std::vector<EpochReport> epochs;
  int best = -1;             ///< index of the epoch with the best model; −1 for none
  bool interrupted = false;  ///< by `stop`; the checkpoint continues from there
};

/// Trains `trained` and leaves the best model in it and in `model_path`: the one with the highest
/// BLEU on `valid` and, among equal ones, the lowest loss. A model whose parameters or whose loss
/// on `valid` are not all finite is not kept. The order of batches and the dropout depend on the
/// seed alone, so a resumed run has the same bits as an uninterrupted one. Training stops after the
/// batch at which `stop()` returns true.
///
/// Meanwhile a lock keeps other programs from training into `model_path`. The checkpoint of each
/// epoch knows the best model's checksum, and is written before it: killed in between, a resumed
/// run writes the model first.
///
/// Throws Error when a gradient is not finite; when no epoch gave a model to keep; when somebody
/// else trains into `model_path`, or has put another model there; when a checkpoint does not fit
/// the model, the data and the options, or is damaged; and when a file cannot be written.
TrainReport train(Trained& trained, const std::vector<Pair>& train_pairs,
                  const std::vector<Pair>& valid, const TrainOptions& options,
                  terminal::Progress& progress, const std::function<bool()>& stop);

/// The largest resident size of this process so far, in MiB.
double peak_memory_mib();

/// Gives freed memory back to the system, after reading: sentences and tokens were many small
/// strings, whose memory the C library would keep and not use for tensors.
void trim_memory();

}  // namespace gradus::translate
