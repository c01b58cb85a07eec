#include "layers/batches.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "core/tensor/error.h"

using namespace gradus;
using Ids = std::vector<int64_t>;
using Batches = std::vector<Ids>;

namespace {

/// 1,000 lengths from 0 to 19.
Ids many_lengths() {
  Generator generator(3);
  Ids lengths;
  for (int i = 0; i < 1000; ++i) lengths.push_back(generator.below(20));
  return lengths;
}

Ids sorted_indices(const Batches& batches) {
  Ids all;
  for (const Ids& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  std::ranges::sort(all);
  return all;
}

}  // namespace

TEST_CASE("batches hold every index once, the shortest first, equal lengths in their order") {
  CHECK(batches_by_length(Ids{5, 2, 7, 2, 5}, {.batch_size = 2}) == Batches{{1, 3}, {0, 4}, {2}});
  CHECK(batches_by_length(Ids{0, 0, 0}, {.batch_size = 9}) == Batches{{0, 1, 2}});
  CHECK(batches_by_length(Ids{}).empty());
}

TEST_CASE("a batch has at most max_elements with its padding, or is one sequence") {
  CHECK(batches_by_length(Ids{1, 2, 3, 3, 50}, {.batch_size = 100, .max_elements = 6}) ==
        Batches{{0, 1}, {2, 3}, {4}});
  const int64_t huge = std::numeric_limits<int64_t>::max();  // the product would overflow
  CHECK(batches_by_length(Ids{huge, huge}, {.max_elements = huge}) == Batches{{0}, {1}});
  const Ids lengths = many_lengths();
  for (const Ids& batch : batches_by_length(lengths, {.batch_size = 32, .max_elements = 100})) {
    int64_t longest = 0;
    for (const int64_t i : batch) longest = std::max(longest, lengths[static_cast<size_t>(i)]);
    CHECK(std::ssize(batch) <= 32);
    CHECK(std::ssize(batch) * longest <= 100);
  }
}

TEST_CASE("shuffled batches hold every index once and are as little padded as sorted ones") {
  const Ids lengths = many_lengths();
  auto padded = [&](const Batches& batches) {
    int64_t elements = 0;
    for (const Ids& batch : batches) {
      int64_t longest = 0;
      for (const int64_t i : batch) longest = std::max(longest, lengths[static_cast<size_t>(i)]);
      elements += longest * std::ssize(batch);
    }
    return elements;
  };
  Generator generator(1);
  const Batches sorted = batches_by_length(lengths, {.batch_size = 16});
  const Batches shuffled = batches_by_length(lengths, {.batch_size = 16}, &generator);
  CHECK(sorted.size() == 63);
  CHECK(shuffled.size() == 63);
  CHECK(sorted_indices(shuffled) == sorted_indices(sorted));
  CHECK(padded(shuffled) == padded(sorted));
}

TEST_CASE("each epoch has other batches in another order, and the seed decides them") {
  const Ids lengths = many_lengths();
  auto epochs = [&](uint64_t seed) {
    Generator generator(seed);
    const Batches first = batches_by_length(lengths, {.batch_size = 16}, &generator);
    return std::pair(first, batches_by_length(lengths, {.batch_size = 16}, &generator));
  };
  const auto [first, second] = epochs(1);
  CHECK(first != second);
  CHECK(epochs(1).second == second);
  CHECK(epochs(2).second != second);
  // Not only the order of the batches differs, but also what is in them.
  const std::set<Ids> in_first(first.begin(), first.end()), in_second(second.begin(), second.end());
  Batches common;
  std::ranges::set_intersection(in_first, in_second, std::back_inserter(common));
  CHECK(common.size() < 5);
  // The first batch is not always the shortest.
  auto length = [&](const Ids& batch) { return lengths[static_cast<size_t>(batch[0])]; };
  CHECK_FALSE(std::ranges::is_sorted(first, {}, length));
}

TEST_CASE("sequences are padded behind to the longest") {
  const PaddedSequences padded = pad_sequences({{5, 6}, {}, {7, 8, 9}});
  CHECK(padded.ids.shape() == Shape{3, 3});
  CHECK(padded.ids.dtype() == DType::int64);
  CHECK(padded.ids.to_vector<int64_t>() == Ids{5, 6, 0, 0, 0, 0, 7, 8, 9});
  CHECK(Ids(padded.mask.lengths().begin(), padded.mask.lengths().end()) == Ids{2, 0, 3});
  const int64_t large = -(int64_t{1} << 53) - 1;  // no float64 holds it
  CHECK(pad_sequences({{4}, {1, 2}}, large).ids.to_vector<int64_t>() == Ids{4, large, 1, 2});
}

TEST_CASE("empty sequences, and no sequences, are padded to no columns") {
  CHECK(pad_sequences({{}, {}}).ids.shape() == Shape{2, 0});
  CHECK(pad_sequences({}).ids.shape() == Shape{0, 0});
}

TEST_CASE("batching refuses lengths and options below their range") {
  CHECK_THROWS_WITH_AS(batches_by_length(Ids{3, -1}),
                       "batches_by_length: expected lengths of at least 0, got -1 at 1", Error);
  CHECK_THROWS_WITH_AS(batches_by_length(Ids{}, {.batch_size = 0}),
                       "batches_by_length: expected a batch_size of at least 1, got 0", Error);
  CHECK_THROWS_WITH_AS(batches_by_length(Ids{}, {.max_elements = -1}),
                       "batches_by_length: expected max_elements of at least 0, got -1", Error);
}
