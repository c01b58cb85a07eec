#include "layers/batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/ops/movement.h"
#include "core/tensor/error.h"

namespace gradus {

std::vector<std::vector<int64_t>> batches_by_length(std::span<const int64_t> lengths,
                                                    const BatchOptions& options,
                                                    Generator* generator) {
  if (options.batch_size < 1)
    throw Error(fmt::format("batches_by_length: expected a batch_size of at least 1, got {}",
                            options.batch_size));
  if (options.max_elements < 0)
    throw Error(fmt::format("batches_by_length: expected max_elements of at least 0, got {}",
                            options.max_elements));
  for (size_t i = 0; i < lengths.size(); ++i)
    if (lengths[i] < 0)
      throw Error(fmt::format("batches_by_length: expected lengths of at least 0, got {} at {}",
                              lengths[i], i));

  std::vector<int64_t> order(lengths.size());
  std::iota(order.begin(), order.end(), 0);
  if (generator) order = generator->permutation(std::ssize(lengths));
  auto length = [&](int64_t i) { return lengths[static_cast<size_t>(i)]; };
  std::ranges::stable_sort(order, {}, length);

  std::vector<std::vector<int64_t>> batches;
  for (const int64_t i : order) {
    auto has_room = [&](const std::vector<int64_t>& batch) {
      const int64_t size = std::ssize(batch) + 1;  // i is its longest
      return size <= options.batch_size &&
             (options.max_elements == 0 || length(i) <= options.max_elements / size);
    };
    if (batches.empty() || !has_room(batches.back())) batches.emplace_back();
    batches.back().push_back(i);
  }
  if (!generator) return batches;
  std::vector<std::vector<int64_t>> shuffled;
  for (const int64_t i : generator->permutation(std::ssize(batches)))
    shuffled.push_back(std::move(batches[static_cast<size_t>(i)]));
  return shuffled;
}

PaddedSequences pad_sequences(const std::vector<std::vector<int64_t>>& sequences, int64_t padding) {
  PaddedSequences padded;
  std::vector<int64_t> lengths;
  for (const auto& sequence : sequences) lengths.push_back(std::ssize(sequence));
  const int64_t longest = lengths.empty() ? 0 : std::ranges::max(lengths);
  padded.mask = Mask::lengths(lengths, longest);
  padded.ids = Tensor::uninitialised({std::ssize(sequences), longest}, DType::int64);
  int64_t* row = padded.ids.mutable_data<int64_t>();
  for (const auto& sequence : sequences) {
    std::ranges::copy(sequence, row);
    std::fill(row + sequence.size(), row + longest, padding);
    row += longest;
  }
  return padded;
}

PaddedSequences rows_of(const PaddedSequences& sequences, int64_t begin, int64_t end) {
  const std::span<const int64_t> all = sequences.mask.lengths();
  if (begin < 0 || begin >= end || end > std::ssize(all))
    throw Error(fmt::format("rows_of: expected rows within the {} that there are, got [{}, {})",
                            all.size(), begin, end));
  const auto lengths = all.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  const int64_t longest = std::ranges::max(lengths);
  return {contiguous(slice(slice(sequences.ids, 0, begin, end), 1, 0, longest)),
          Mask::lengths(lengths, longest)};
}

}  // namespace gradus
