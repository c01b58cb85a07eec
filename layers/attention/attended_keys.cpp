#include "layers/attention/attended_keys.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/functions/mask.h"
#include "core/ops/movement.h"
#include "core/tensor/error.h"

namespace gradus {

namespace {

/// The mask as one that broadcasts to the scores.
Mask fitted(const char* layer, Mask mask, const Shape& scores) {
  if (!mask.defined()) return mask;
  const Shape given = mask.shape(), keys{scores[0], scores.back()},
              pairs{scores[scores.rank() - 2], scores.back()};
  bool fits = mask.axes() == Mask::batch_time ? given == keys : given == pairs;
  if (mask.axes() == Mask::elements) {
    fits = given.rank() >= 3 && given.rank() <= scores.rank();
    for (int axis = 0; fits && axis < given.rank(); ++axis) {
      const int of_scores = axis == 0 ? 0 : scores.rank() - given.rank() + axis;
      fits = given[axis] == 1 || given[axis] == scores[of_scores];
    }
  }
  if (!fits) {
    const bool unclear = mask.axes() == Mask::elements && (given == keys || given == pairs);
    throw Error(fmt::format(
        "{}: expected a mask of (batch, time) {}, (queries, keys) {} or (batch, queries, keys) {}, "
        "got {}{}",
        layer, keys.text(), pairs.text(), pairs.inserted(0, scores[0]).text(), given.text(),
        unclear ? "; say what its axes mean: Mask::attend(ones, Mask::batch_time) or "
                  "Mask::queries_keys"
        : mask.axes() == Mask::elements   ? ""
        : mask.axes() == Mask::batch_time ? " of (batch, time)"
                                          : " of (queries, keys)"));
  }
  if (mask.axes() == Mask::queries_keys) return mask;
  while (mask.shape().rank() < scores.rank()) mask = mask.unsqueeze(1);
  return mask;
}

}  // namespace

int64_t attended_keys(const Mask& mask, int64_t keys) {
  if (!mask.defined() || mask.shape().rank() < 2 || mask.shape().back() != keys) return keys;
  return std::max(std::min<int64_t>(1, keys), mask.last());
}

AttendedKeys::AttendedKeys(const char* layer, const Mask& given, Shape scores)
    : all(scores.back()), count(all) {
  if (given.defined() && given.shape().rank() > 0 && given.shape().back() > all &&
      attended_keys(given, given.shape().back()) == all)
    scores[scores.rank() - 1] = all = given.shape().back();
  mask = fitted(layer, given, scores);
  count = attended_keys(given, all);
  if (mask.defined() && mask.shape().back() > count) mask = mask.first(count);
}

KeyValues AttendedKeys::of(const KeyValues& prepared) const {
  return {slice(prepared.keys, -2, 0, count), slice(prepared.values, -2, 0, count)};
}

Tensor AttendedKeys::padded(const Tensor& weights) const {
  return count == all || !weights.defined() ? weights : pad(weights, -1, 0, all - count);
}

}  // namespace gradus
