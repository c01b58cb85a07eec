#include "examples/terminal/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace gradus::terminal {
namespace {

/// The least of 1, 2, 5 or 10 · 10^k that is at least `rough`.
double round_step(double rough) {
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

std::string tick_label(double value, double step, double largest) {
  const int step_exponent = static_cast<int>(std::floor(std::log10(step) + 1e-9));
  if (value == 0) value = 0;  // a negative zero would print its sign
  if (step_exponent >= -8 && largest < 1e6) {
    return fmt::format("{:.{}f}", value, std::max(0, -step_exponent));
  }
  const int digits = static_cast<int>(std::floor(std::log10(largest))) - step_exponent + 1;
  return fmt::format("{:.{}g}", value, digits);
}

}  // namespace

bool is_drawable(double value) { return std::abs(value) < 1e100; }

Axis value_axis(const std::vector<Curve>& curves, int max_ticks) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Curve& curve : curves) {
    for (double value : curve.values) {
      if (!is_drawable(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  if (low > high) return {0, 1, {}};
  const double magnitude = std::max(std::abs(low), std::abs(high));
  if (high - low <= std::max(1e-9 * magnitude, 1e-100)) {
    const double margin = magnitude > 1e-100 ? magnitude / 2 : 1;
    low -= margin;
    high += margin;
  }

  const double step = round_step((high - low) / (max_ticks - 1));
  const double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
  Axis axis{first * step, last * step, {}};
  const double largest = std::max(std::abs(axis.low), std::abs(axis.high));
  for (double k = first; k <= last; ++k) {
    axis.ticks.push_back({k * step, tick_label(k * step, step, largest)});
  }
  return axis;
}

Axis epoch_axis(const std::vector<Curve>& curves, int max_ticks) {
  size_t epochs = 1;
  for (const Curve& curve : curves) epochs = std::max(epochs, curve.values.size());
  const auto step = static_cast<size_t>(std::max(1.0, round_step(double(epochs) / max_ticks)));
  Axis axis{1, double(epochs), {}};
  if (step >= 5) axis.ticks.push_back({1, "1"});
  for (size_t epoch = step; epoch <= epochs; epoch += step) {
    axis.ticks.push_back({double(epoch), std::to_string(epoch)});
  }
  return axis;
}

std::vector<std::pair<size_t, size_t>> drawable_runs(const std::vector<double>& values) {
  std::vector<std::pair<size_t, size_t>> runs;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!is_drawable(values[i])) continue;
    if (runs.empty() || runs.back().second != i) runs.push_back({i, i});
    runs.back().second = i + 1;
  }
  return runs;
}

std::vector<size_t> marked_points(const std::vector<double>& values, size_t stride) {
  std::vector<size_t> points;
  for (auto [begin, end] : drawable_runs(values)) {
    for (size_t i = begin; i < end; ++i) {
      if (i % stride == 0 || i == begin || i + 1 == end) points.push_back(i);
    }
  }
  return points;
}

}  // namespace gradus::terminal
