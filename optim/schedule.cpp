#include "optim/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/tensor/error.h"

namespace gradus {

namespace {

void check_steps(const char* schedule, int64_t steps) {
  if (steps < 1) throw Error(fmt::format("{}: expected at least 1 step, got {}", schedule, steps));
}

}  // namespace

Schedule constant(double rate) {
  return [rate](int64_t) { return rate; };
}

Schedule warm_up(int64_t steps, Schedule then) {
  check_steps("warm_up", steps);
  if (!then) throw Error("warm_up: expected a schedule that follows, got none");
  return [steps, then = std::move(then)](int64_t step) {
    return step < steps ? then(0) * static_cast<double>(step + 1) / static_cast<double>(steps)
                        : then(step + 1 - steps);
  };
}

Schedule inverse_square_root(double peak, int64_t steps) {
  check_steps("inverse_square_root", steps);
  return [peak, steps](int64_t step) {
    const double progress = static_cast<double>(step + 1) / static_cast<double>(steps);
    return peak * std::min(progress, 1 / std::sqrt(progress));
  };
}

Schedule cosine(double peak, int64_t steps, double floor) {
  check_steps("cosine", steps);
  return [=](int64_t step) {
    const double progress = static_cast<double>(std::min(step, steps)) / static_cast<double>(steps);
    return floor + (peak - floor) * (1 + std::cos(std::numbers::pi * progress)) / 2;
  };
}

ReduceOnPlateau::ReduceOnPlateau(double learning_rate, const PlateauOptions& options)
    : state{learning_rate, std::numeric_limits<double>::infinity()}, options_(options) {
  if (options.better == Better::higher) state.best = -state.best;
  auto check = [](bool holds, const char* option, const char* wanted, double given) {
    if (!holds)
      throw Error(fmt::format("ReduceOnPlateau: expected {} {}, got {}", option, wanted, given));
  };
  check(learning_rate >= 0, "learning_rate", "of at least 0", learning_rate);
  check(options.factor > 0 && options.factor < 1, "factor", "in (0, 1)", options.factor);
  check(options.patience >= 0, "patience", "of at least 0", static_cast<double>(options.patience));
  check(options.threshold >= 0, "threshold", "of at least 0", options.threshold);
  check(options.lowest_rate >= 0 && options.lowest_rate <= learning_rate, "lowest_rate",
        "in [0, learning_rate]", options.lowest_rate);
}

double ReduceOnPlateau::update(double result) {
  const double margin = std::isfinite(state.best) ? options_.threshold * std::abs(state.best) : 0;
  const bool improved = options_.better == Better::lower ? result < state.best - margin
                                                         : result > state.best + margin;
  if (improved) {
    state.best = result;
    state.unimproved = 0;
  } else if (++state.unimproved > options_.patience) {
    state.learning_rate = std::max(state.learning_rate * options_.factor, options_.lowest_rate);
    state.unimproved = 0;
  }
  return state.learning_rate;
}

}  // namespace gradus
