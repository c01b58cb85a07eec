#pragma once

#include <vector>

#include "core/tensor/tensor.h"
#include "examples/training/vocabulary.h"
#include "examples/translate/pairs.h"
#include "layers/batches.h"

namespace gradus::translate {

/// A sentence pair as token ids, without <bos> and <eos>.
struct Example {
  std::vector<int64_t> source, target;
};

/// In training with a generator, for subwords that are other ones each time.
std::vector<Example> encode(const std::vector<Pair>& pairs, const Vocabulary& source,
                            const Vocabulary& target, double subword_dropout = 0,
                            Generator* generator = nullptr);

/// What one training step sees: teacher forcing feeds <bos> y₁ … yₙ and expects y₁ … yₙ <eos>. The
/// targets are views of one tensor, so a shorter sentence is fed its <eos>, too; no output is
/// expected there.
struct Batch {
  PaddedSequences source;        ///< padded with <pad>
  Tensor target_in, target_out;  ///< (batch, time)
  int64_t target_tokens = 0;     ///< those of target_out that are not padding
};
Batch make_batch(const std::vector<Example>& examples);

/// Rows [begin, end), without the columns that are padding in all of them.
Batch rows_of(const Batch& batch, int64_t begin, int64_t end);

/// All examples in batches of similar length: sorted by target length, then source length.
std::vector<Batch> make_batches(std::vector<Example> examples, int64_t batch_size);

}  // namespace gradus::translate
