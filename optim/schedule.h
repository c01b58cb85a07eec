#pragma once

#include <cstdint>
#include <functional>

/// Learning rates that change: set optimizer.learning_rate before each step:
///
///     const Schedule schedule = warm_up(100, cosine(1e-3, 10'000));
///     …
///     optimizer.learning_rate = schedule(step);
namespace gradus {

/// The learning rate of a step, given its number; the first is step 0.
using Schedule = std::function<double(int64_t step)>;

Schedule constant(double rate);

/// then(0) · (step + 1) / steps during the first `steps` steps, so that the last of them has
/// the full rate; after it `then`, whose step 0 is that last step.
/// Throws Error for fewer than 1 step.
Schedule warm_up(int64_t steps, Schedule then);

/// peak · min(s / steps, √(steps / s)) with s = step + 1: a linear warm-up to the peak, then a fall
/// with the inverse square root (Vaswani et al. 2017, equation 3, where the peak is
/// 1 / √(model size · steps)). Throws Error for fewer than 1 step.
Schedule inverse_square_root(double peak, int64_t steps);

/// floor + (peak − floor) · (1 + cos(π · step / steps)) / 2, and the floor from `steps` on
/// (Loshchilov & Hutter 2017, equation 5, without restarts). Throws Error for fewer than 1 step.
Schedule cosine(double peak, int64_t steps, double floor = 0);

enum class Better { lower, higher };

struct PlateauOptions {
  Better better = Better::lower;
  double factor = 0.1;    ///< what the rate is multiplied by
  int64_t patience = 10;  ///< results in a row without improvement that do not reduce the rate yet
  double threshold = 1e-4;  ///< an improvement is more than this fraction of |best result|
  double lowest_rate = 0;
};

/// Reduces the rate when a result, such as the validation loss, has stopped improving: by the rules
/// of PyTorch's ReduceLROnPlateau with a relative threshold, which here holds for negative results,
/// too.
class ReduceOnPlateau {
 public:
  /// Everything that changes: save it, and assign it to resume; see optim/training_state.h.
  struct State {
    double learning_rate;
    double best;             ///< ±∞ before the first result
    int64_t unimproved = 0;  ///< results since the best one or the last reduction
  };
  State state;

  /// Throws Error unless 0 < factor < 1, 0 ≤ lowest_rate ≤ learning_rate, and the others are at
  /// least 0.
  explicit ReduceOnPlateau(double learning_rate, const PlateauOptions& options = {});

  /// Takes a result and returns the next learning rate. NaN is no improvement.
  double update(double result);

 private:
  PlateauOptions options_;
};

}  // namespace gradus
