#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/trace/trace.h"
#include "optim/optimizer.h"

namespace gradus::live {

/// How a trace is trained.
struct TrainingOptions {
  std::string optimizer = "SGD";  ///< SGD, momentum (SGD with 0.9), RMSprop, Adam
  double rate = 0.1;
  double clip = 0;    ///< the largest norm of all gradients together; 0: none
  uint64_t seed = 0;  ///< 0: from the trace's own numbers; else from random ones of their size
};

/// Trains a recorded computation: its parameters move against their gradients, it runs again, and
/// so on. Each step can be looked at afterwards.
class Training {
 public:
  /// Throws Error for a trace without parameters or without one number as its loss, and for options
  /// that are not among those above.
  Training(std::shared_ptr<const Trace> start, const TrainingOptions& options);

  /// One step: the parameters move by the gradients of current(). False, and nothing happens, when
  /// a gradient is not finite, and after most_steps.
  bool step();
  static constexpr int64_t most_steps = 100'000;
  bool is_full() const { return std::ssize(steps_) > most_steps; }

  struct Step {
    double loss;
    double gradient_norm;              ///< √Σg² of all parameters, before clipping
    std::vector<double> weight_norms;  ///< per parameter
  };
  /// Before the first step, and after each.
  const std::vector<Step>& steps() const { return steps_; }
  int64_t stride() const { return stride_; }
  const std::vector<std::string>& parameter_names() const { return names_; }
  const TrainingOptions& options() const { return options_; }
  const Trace& current() const { return *current_; }
  /// The computation as it was after so many steps. Throws Error for one that is not a multiple of
  /// stride(): of a long training only every second, fourth … is kept, so that memory does not
  /// grow.
  Trace at(int64_t step) const;

 private:
  void note();

  std::shared_ptr<const Trace> start_, current_;
  TrainingOptions options_;
  std::vector<int> nodes_;  // the parameters
  std::vector<std::string> names_;
  std::vector<Tensor> parameters_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<Step> steps_;
  std::vector<std::vector<Tensor>> kept_;  // per step; empty where they were let go
  int64_t stride_ = 1;
};

}  // namespace gradus::live
