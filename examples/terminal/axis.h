#pragma once

#include <string>
#include <vector>

#include "examples/terminal/draw.h"

namespace gradus::terminal {

struct Tick {
  double value;
  std::string label;
};

struct Axis {
  double low, high;
  std::vector<Tick> ticks;

  /// Where `value` lies between low (0) and high (1).
  double position(double value) const { return high > low ? (value - low) / (high - low) : 0.5; }
};

/// False for NaN, infinities, and magnitudes from 1e100 on, which would overflow the arithmetic.
bool is_drawable(double value);

/// An axis over all drawable values, with about `max_ticks` ticks at multiples of 1, 2 or 5 · 10^k
/// and ending at ticks. All values equal: they lie in the middle. No values: no ticks.
Axis value_axis(const std::vector<Curve>& curves, int max_ticks);

/// An axis from epoch 1 to the last of the longest curve; its ticks are whole numbers.
Axis epoch_axis(const std::vector<Curve>& curves, int max_ticks);

/// The first and one past the last index of each stretch of drawable values.
std::vector<std::pair<size_t, size_t>> drawable_runs(const std::vector<double>& values);

/// The indices that get a marker: every `stride`-th value and the ends of each stretch, so that a
/// lone value is seen.
std::vector<size_t> marked_points(const std::vector<double>& values, size_t stride);

}  // namespace gradus::terminal
