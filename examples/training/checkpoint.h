#pragma once

#include "examples/training/train.h"
#include "optim/optimizer.h"
#include "optim/training_state.h"

/// The whole state of a run in one file beside its model; used by the loop in train.cpp alone.
namespace gradus::training {

/// Where training stands between two batches.
struct Position {
  int64_t epoch = 1, batch = 0, items = 0;
  double loss_sum = 0, seconds = 0, training_seconds = 0;  // of this epoch so far
  TrainReport report = {};
  uint64_t best = 0, earlier = 0;  // checksums of the best model, and of what was there before it

  void next_epoch() {
    *this = {.epoch = epoch + 1, .report = std::move(report), .best = best, .earlier = earlier};
  }
};

/// Begins an epoch with the generator that is its own; returns the number of its batches.
int64_t begin_epoch(const Run& run, const TrainOptions& options, int64_t epoch);

/// The tensors without their names.
std::vector<Tensor> values_of(const std::map<std::string, Tensor>& tensors);

class Checkpoint {
 public:
  Checkpoint(const Run& run, const TrainOptions& options, Adam& adam, Generator& dropout,
             Position& at);

  /// Throws Error on all ranks unless they run the same: it names what differs.
  void check_ranks() const;

  /// On rank 0; the others do nothing.
  void save() const;

  /// Reads the state, and sees to it that the best model of the run is in its file: it may be
  /// missing there only where the run was killed after the checkpoint was written and before the
  /// model was. Rank 0 reads, the others get the state from it.
  void resume();

 private:
  void load();
  void put_model_in_place() const;
  void share();
  std::string report_text() const;
  void check_run(const nlohmann::json& theirs) const;
  void read_report(const nlohmann::json& j, Position& read) const;
  void check_place(const TensorFile& file, int64_t epochs) const;

  std::string model_path_, path_;
  const Run& run_;
  const TrainOptions& options_;
  nlohmann::json settings_;
  Position& at_;
  TrainingState state_;
};

}  // namespace gradus::training
