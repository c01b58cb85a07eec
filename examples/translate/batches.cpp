#include "examples/translate/batches.h"

#include <algorithm>

namespace gradus::translate {

std::vector<Example> encode(const std::vector<Pair>& pairs, const Vocabulary& source,
                            const Vocabulary& target) {
  std::vector<Example> examples;
  examples.reserve(pairs.size());
  for (const Pair& pair : pairs)
    examples.push_back({source.encode_text(pair.source), target.encode_text(pair.target)});
  return examples;
}

PaddedIds pad_ids(const std::vector<std::vector<int64_t>>& sentences) {
  PaddedIds padded;
  int64_t longest = 0;
  for (const auto& sentence : sentences) {
    padded.lengths.push_back(static_cast<int64_t>(sentence.size()));
    longest = std::max(longest, padded.lengths.back());
  }
  padded.ids = full({static_cast<int64_t>(sentences.size()), longest}, pad_id, DType::int64);
  int64_t* row = padded.ids.data<int64_t>();
  for (const auto& sentence : sentences) {
    std::copy(sentence.begin(), sentence.end(), row);
    row += longest;
  }
  return padded;
}

Batch make_batch(const std::vector<Example>& examples) {
  std::vector<std::vector<int64_t>> source, in, out;
  Batch batch;
  for (const Example& example : examples) {
    source.push_back(example.source);
    in.push_back(example.target);
    in.back().insert(in.back().begin(), bos_id);
    out.push_back(example.target);
    out.back().push_back(eos_id);
    batch.target_tokens += static_cast<int64_t>(out.back().size());
  }
  batch.source = pad_ids(source);
  batch.target_in = pad_ids(in).ids;
  batch.target_out = pad_ids(out).ids;
  return batch;
}

std::vector<Batch> make_batches(std::vector<Example> examples, int64_t batch_size) {
  std::stable_sort(examples.begin(), examples.end(), [](const Example& a, const Example& b) {
    return std::pair(a.target.size(), a.source.size()) <
           std::pair(b.target.size(), b.source.size());
  });
  std::vector<Batch> batches;
  for (size_t begin = 0; begin < examples.size(); begin += static_cast<size_t>(batch_size)) {
    const size_t end = std::min(examples.size(), begin + static_cast<size_t>(batch_size));
    batches.push_back(make_batch({examples.begin() + static_cast<std::ptrdiff_t>(begin),
                                  examples.begin() + static_cast<std::ptrdiff_t>(end)}));
  }
  return batches;
}

}  // namespace gradus::translate
