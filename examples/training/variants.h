#pragma once

#include <functional>
#include <string>
#include <vector>

#include "examples/training/train.h"

namespace gradus::training {

/// One of several models that a run trains one after another, to compare them.
struct Variant {
  std::string name, path;
};

/// Says the name of each variant, then calls learn(its index, its options), which trains into its
/// path and returns the report. With `resume`, those that have a checkpoint are continued, and the
/// first one has to have one. Returns false, without the variants that are left, after one was
/// interrupted. Throws Error before any of them is trained where a file of one is something else's.
bool train_variants(const std::string& kind, const std::vector<Variant>& variants,
                    const TrainOptions& options,
                    const std::function<TrainReport(size_t, const TrainOptions&)>& learn);

}  // namespace gradus::training
