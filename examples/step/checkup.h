#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/trace/trace.h"
#include "examples/step/condition.h"

namespace gradus::step {

/// The norms of the gradients at a layer's output, that is, at its last op, and the numbers of
/// these ops; both by time step, outside of time at −1.
struct LayerNorms {
  std::string layer;
  std::map<int64_t, double> norms;
  std::map<int64_t, int> nodes;
};

/// What may be wrong with a model, as far as a trace of it tells.
struct Checkup {
  std::vector<LayerNorms> layers;
  std::vector<Place> breaks;     ///< where NaN and infinities begin
  std::vector<Place> dead_ends;  ///< where a gradient arrives and nothing but zeros goes on
  std::vector<Place> unreached;  ///< parameters without a gradient, or with zeros only
  std::vector<Place> wrong;      ///< ops whose rule disagrees with differences
  int64_t agree = 0, not_finite = 0, unchecked = 0;  ///< ops by what their verdicts say
};

/// Paths of layers are cut so short that there are no more than `most` of them, if possible.
Checkup check_up(const Trace& trace, size_t most);

}  // namespace gradus::step
