#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/tensor/tensor.h"

namespace gradus {

struct MovingAverageOptions {
  double decay = 0.999;  ///< about the last 1 / (1 − decay) updates count
  bool bias_correction = false;
};

/// An exponential moving average of a model's parameters, which often generalises better than the
/// parameters of the last step. Each update moves the averages a towards the parameters p:
///
///     a ← a + w · (p − a)
///
/// with w = 1 at the first update and w = 1 − decay after it, as PyTorch's AveragedModel with
/// get_ema_multi_avg_fn(). With `bias_correction`, at update number t,
///
///     w = (1 − decay) / (1 − decayᵗ)
///
/// so that a is the mean of all p so far, each weighted by decay to the power of its age (Kingma &
/// Ba 2015, section 7.2); otherwise the first p counts as if it had been there before training.
///
/// In a training loop:
///
///     ExponentialMovingAverage average(parameters(model));
///     for (…) {
///       …
///       optimizer.step();
///       average.update();
///     }
///     {
///       const UseAverages averages(average);
///       evaluate(model);  // or save_model(path, model)
///     }
class ExponentialMovingAverage {
 public:
  /// Throws Error unless 0 ≤ decay < 1, and as Optimizer for the parameters.
  explicit ExponentialMovingAverage(const std::vector<Tensor>& parameters,
                                    const MovingAverageOptions& options = {});

  /// Takes the parameters' values in; not recorded. Throws Error while they are swapped.
  void update();
  /// Exchanges the values of the parameters and their averages; a second call restores both. Before
  /// the first update the averages are the parameters' values at construction.
  void swap();
  bool swapped() const { return swapped_; }

  /// Copies of the averages by the parameters' names: for load_tensors_into() a second model.
  /// Throws Error while they are swapped.
  std::map<std::string, Tensor> averages() const;

  /// A copy of the state by name: "updates", "encoder.wx.average", …. Throws Error while the values
  /// are swapped.
  std::map<std::string, Tensor> state() const;
  /// Throws Error, which lists every tensor that is missing, unknown, or of another shape or dtype,
  /// and while the values are swapped; nothing has changed then.
  void set_state(const std::map<std::string, Tensor>& state);

 private:
  friend struct StatePart;
  void check_not_swapped(const char* what) const;
  /// The state itself, not a copy.
  std::map<std::string, Tensor> named_state() const;

  MovingAverageOptions options_;
  std::vector<std::string> names_;
  std::vector<Tensor> parameters_, averages_;
  Tensor updates_;  // an int64 scalar
  bool swapped_ = false;
};

/// While it lives, the parameters hold their averages.
class UseAverages {
 public:
  explicit UseAverages(ExponentialMovingAverage& average) : average_(average) { average_.swap(); }
  ~UseAverages() { average_.swap(); }
  UseAverages(const UseAverages&) = delete;
  UseAverages& operator=(const UseAverages&) = delete;

 private:
  ExponentialMovingAverage& average_;
};

}  // namespace gradus
