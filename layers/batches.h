#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/functions/mask.h"
#include "core/tensor/random.h"
#include "core/tensor/tensor.h"

/// Sequences of different lengths in batches: which ones go together, and how they are padded.
///
///     for (const auto& batch : batches_by_length(lengths, {.batch_size = 32}, &generator)) {
///       std::vector<std::vector<int64_t>> sequences;
///       for (const int64_t i : batch) sequences.push_back(data[i]);
///       const PaddedSequences x = pad_sequences(sequences);
///       … lstm(embedding(x.ids), x.mask) …
///     }
namespace gradus {

struct BatchOptions {
  int64_t batch_size = 32;   ///< sequences in a batch at most
  int64_t max_elements = 0;  ///< sequences times the longest length in a batch at most, padding
                             ///< included; a longer sequence is a batch of its own; 0: no limit
};

/// The indices 0 … lengths.size() − 1, each once, in batches of similar length, so that little is
/// padding: sorted by length, then cut.
///
/// Without a generator the shortest sequences come first, and those of equal length stay in their
/// order: data sorted by a second length beforehand stay sorted by it. With a generator sequences
/// of equal length are shuffled before they are cut into batches, and then the batches are
/// shuffled: call it once per epoch. Throws Error for a negative length, batch_size < 1,
/// max_elements < 0.
std::vector<std::vector<int64_t>> batches_by_length(std::span<const int64_t> lengths,
                                                    const BatchOptions& options = {},
                                                    Generator* generator = nullptr);

/// Sequences of ids, padded behind to the longest.
struct PaddedSequences {
  Tensor ids;  ///< (batch, time), int64
  Mask mask;   ///< made of each row's length; mask.lengths() are these
};

/// Row b of the result is sequences[b], then `padding` up to the longest length. (0, 0) for no
/// sequences.
PaddedSequences pad_sequences(const std::vector<std::vector<int64_t>>& sequences,
                              int64_t padding = 0);

/// Rows [begin, end), at least one, cut to the longest of them.
PaddedSequences rows_of(const PaddedSequences& sequences, int64_t begin, int64_t end);

}  // namespace gradus
