#include "examples/translate/batches.h"

#include <algorithm>

#include "core/ops/movement.h"

namespace gradus::translate {

std::vector<Example> encode(const std::vector<Pair>& pairs, const Vocabulary& source,
                            const Vocabulary& target, double subword_dropout,
                            Generator* generator) {
  std::vector<Example> examples;
  examples.reserve(pairs.size());
  for (const Pair& pair : pairs)
    examples.push_back({source.encode_text(pair.source, subword_dropout, generator),
                        target.encode_text(pair.target, subword_dropout, generator)});
  return examples;
}

Batch make_batch(const std::vector<Example>& examples) {
  std::vector<std::vector<int64_t>> source, target;
  Batch batch;
  for (const Example& example : examples) {
    source.push_back(example.source);
    std::vector<int64_t>& whole = target.emplace_back(example.target);
    whole.insert(whole.begin(), bos_id);
    whole.push_back(eos_id);
    batch.target_tokens += std::ssize(whole) - 1;
  }
  batch.source = pad_sequences(source, pad_id);
  const Tensor whole = pad_sequences(target, pad_id).ids;
  batch.target_in = slice(whole, 1, 0, whole.size(1) - 1);
  batch.target_out = slice(whole, 1, 1, whole.size(1));
  return batch;
}

Batch rows_of(const Batch& batch, int64_t begin, int64_t end) {
  const Tensor out = slice(batch.target_out, 0, begin, end);
  const std::vector<int64_t> ids = out.to_vector<int64_t>();
  int64_t tokens = 0, longest = 0;
  for (int64_t i = 0; i < std::ssize(ids); ++i)
    if (ids[static_cast<size_t>(i)] != pad_id) {
      ++tokens;
      longest = std::max(longest, i % out.size(1) + 1);
    }
  return {rows_of(batch.source, begin, end),
          slice(slice(batch.target_in, 0, begin, end), 1, 0, longest), slice(out, 1, 0, longest),
          tokens};
}

std::vector<Batch> make_batches(std::vector<Example> examples, int64_t batch_size) {
  std::ranges::stable_sort(examples, {}, [](const Example& e) { return e.source.size(); });
  std::vector<int64_t> lengths;
  for (const Example& example : examples) lengths.push_back(std::ssize(example.target));
  std::vector<Batch> batches;
  for (const auto& indices : batches_by_length(lengths, {.batch_size = batch_size})) {
    std::vector<Example> part;
    for (const int64_t i : indices) part.push_back(examples[static_cast<size_t>(i)]);
    batches.push_back(make_batch(part));
  }
  return batches;
}

}  // namespace gradus::translate
