#include "layers/attention/attended_keys.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/ops/mask.h"
#include "core/ops/movement.h"
#include "core/tensor/error.h"

namespace gradus {

namespace {

Mask fitted(const char* layer, Mask mask, const Shape& scores) {
  if (!mask.defined()) return mask;
  const Shape given = mask.shape(), keys{scores[0], scores.back()};
  if (given == keys) mask = mask.unsqueeze(1);
  while (mask.shape().rank() >= 3 && mask.shape().rank() < scores.rank()) mask = mask.unsqueeze(1);
  bool fits = mask.shape().rank() == scores.rank();
  for (int axis = 0; fits && axis < scores.rank(); ++axis)
    fits = mask.shape()[axis] == 1 || mask.shape()[axis] == scores[axis];
  if (fits) return mask;
  const Shape by_query{scores[0], scores[scores.rank() - 2], scores.back()};
  const bool of_all_rows = by_query[1] > 1 && given == Shape{by_query[1], by_query[2]};
  throw Error(
      fmt::format("{}: wants a mask (batch, keys) {} or (batch, queries, keys) {}, was "
                  "given {}{}",
                  layer, keys.text(), by_query.text(), given.text(),
                  of_all_rows ? "; (queries, keys) for the whole batch is mask.unsqueeze(0)" : ""));
}

}  // namespace

int64_t attended_keys(const Mask& mask, int64_t keys) {
  if (!mask.defined() || mask.shape().rank() < 2 || mask.shape().back() != keys) return keys;
  const std::vector<float> attended = mask.attended().to_vector<float>();
  int64_t count = std::min<int64_t>(1, keys);
  for (size_t i = 0; i < attended.size(); ++i)
    if (attended[i] != 0) count = std::max(count, static_cast<int64_t>(i) % keys + 1);
  return count;
}

AttendedKeys::AttendedKeys(const char* layer, const Mask& given, Shape scores)
    : all(scores.back()), count(all) {
  if (given.defined() && given.shape().rank() > 0 && given.shape().back() > all &&
      attended_keys(given, given.shape().back()) == all)
    scores[scores.rank() - 1] = all = given.shape().back();
  mask = fitted(layer, given, scores);
  count = attended_keys(mask, all);
  if (mask.defined() && mask.shape().back() > count)
    mask = Mask::attend(slice(mask.attended(), -1, 0, count));
}

KeyValues AttendedKeys::of(const KeyValues& prepared) const {
  return {slice(prepared.keys, -2, 0, count), slice(prepared.values, -2, 0, count)};
}

Tensor AttendedKeys::padded(const Tensor& weights) const {
  return count == all || !weights.defined() ? weights : pad(weights, -1, 0, all - count);
}

}  // namespace gradus
