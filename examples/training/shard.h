#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <type_traits>
#include <vector>

#include "core/ops/movement.h"
#include "core/tensor/tensor.h"

namespace gradus::training {

/// One of the `count` parts of a batch: its rows [begin, end), of which there may be none.
struct Shard {
  int64_t number = 0, count = 1;

  int64_t begin(int64_t rows) const { return number * rows / count; }
  int64_t end(int64_t rows) const { return (number + 1) * rows / count; }
};

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;

/// How tensors and vectors are cut; none for other types.
template <class Batch>
std::function<std::optional<Batch>(const Batch&, const Shard&)> rows_of_shard() {
  if constexpr (std::is_same_v<Batch, Tensor>)
    return [](const Tensor& x, const Shard& shard) -> std::optional<Tensor> {
      const int64_t begin = shard.begin(x.size(0)), end = shard.end(x.size(0));
      if (begin == end) return std::nullopt;
      return contiguous(slice(x, 0, begin, end));
    };
  else if constexpr (is_vector<Batch>)
    return [](const Batch& rows, const Shard& shard) -> std::optional<Batch> {
      const int64_t begin = shard.begin(std::ssize(rows)), end = shard.end(std::ssize(rows));
      if (begin == end) return std::nullopt;
      return Batch(rows.begin() + begin, rows.begin() + end);
    };
  else
    return nullptr;
}

}  // namespace gradus::training
