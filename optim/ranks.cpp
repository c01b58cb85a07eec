#include "optim/ranks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/tensor/error.h"
#include "optim/shard_tree.h"

namespace gradus {

namespace {

template <class T>
void sum(Ranks& ranks, std::span<T> values) {
  if (ranks.size() == 1 || values.empty()) return;
  std::vector<T> received(values.size());
  for (const auto& step : ShardTree(ranks.size(), ranks.size(), ranks.rank()).steps)
    if (step.kind == ShardTree::Step::exchange)
      ranks.exchange(
          step.with, step.send >= 0 ? std::as_bytes(values) : std::span<const std::byte>(),
          step.receives ? std::as_writable_bytes(std::span(received)) : std::span<std::byte>());
    else
      std::ranges::transform(values, received, values.begin(), std::plus<T>());
}

std::span<std::byte> bytes_of(Tensor tensor) {
  return dispatch(tensor.dtype(), [&](auto element) {
    return std::as_writable_bytes(tensor.mutable_span<decltype(element)>());
  });
}

std::span<const std::byte> bytes_to_read(const Tensor& tensor) {
  return dispatch(tensor.dtype(),
                  [&](auto element) { return std::as_bytes(tensor.span<decltype(element)>()); });
}

/// FNV-1a (Fowler, Noll, Vo 1991) over words of eight bytes.
int64_t hash_of(std::span<const std::byte> bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t at = 0; at < bytes.size(); at += sizeof hash) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, std::min(sizeof word, bytes.size() - at));
    hash = (hash ^ word) * 0x100000001b3;
  }
  return static_cast<int64_t>(hash);
}

/// "rank 1", "ranks 1 and 3", "ranks 1, 2 and 3".
std::string named(const std::vector<int>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < ranks.size(); ++i)
    text += fmt::format("{}{}", i == 0 ? "" : i + 1 < ranks.size() ? ", " : " and ", ranks[i]);
  return text;
}

}  // namespace

size_t Ranks::exchange(int with, std::span<const std::byte>, std::span<std::byte>) {
  throw Error(fmt::format("exchange: there is no rank {} beside rank 0 of 1", with));
}

void broadcast(Ranks& ranks, std::span<std::byte> bytes) {
  if (bytes.empty()) return;
  for (int have = 1; have < ranks.size(); have *= 2)
    if (const int to = ranks.rank() + have; ranks.rank() < have && to < ranks.size())
      ranks.exchange(to, bytes, {});
    else if (ranks.rank() >= have && ranks.rank() < 2 * have)
      ranks.exchange(ranks.rank() - have, {}, bytes);
}

void broadcast(Ranks& ranks, std::string& text) {
  size_t size = text.size();
  broadcast(ranks, std::as_writable_bytes(std::span(&size, 1)));
  text.resize(size);
  broadcast(ranks, std::as_writable_bytes(std::span(text)));
}

void broadcast(Ranks& ranks, const std::vector<Tensor>& tensors) {
  if (ranks.size() > 1)
    for (const Tensor& tensor : tensors) broadcast(ranks, bytes_of(tensor));
}

void sum_over_ranks(Ranks& ranks, std::span<double> values) { sum(ranks, values); }
void sum_over_ranks(Ranks& ranks, std::span<int64_t> values) { sum(ranks, values); }

std::vector<std::string> gather(Ranks& ranks, const std::string& text) {
  std::vector<int64_t> sizes(static_cast<size_t>(ranks.size()));
  sizes[static_cast<size_t>(ranks.rank())] = std::ssize(text);
  sum_over_ranks(ranks, std::span(sizes));
  // Each rank's text stands at its place among zeros.
  int64_t all = 0, begin = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (static_cast<int>(i) == ranks.rank()) begin = all;
    all += sizes[i];
  }
  std::vector<unsigned char> joined(static_cast<size_t>(all));
  std::ranges::copy(text, joined.begin() + begin);
  sum(ranks, std::span(joined));
  std::vector<std::string> texts;
  for (auto at = joined.begin(); const int64_t size : sizes) {
    texts.emplace_back(at, at + size);
    at += size;
  }
  return texts;
}

void check_same(Ranks& ranks, const std::map<std::string, std::string>& descriptions) {
  if (ranks.size() == 1) return;
  std::string packed;
  for (const auto& [name, text] : descriptions) packed += name + '\0' + text + '\0';
  const std::vector<std::string> texts = gather(ranks, packed);
  std::vector<std::map<std::string, std::string>> all;
  for (const std::string& text : texts) {
    auto& of_rank = all.emplace_back();
    for (size_t at = 0; at < text.size();) {
      const size_t middle = text.find('\0', at), end = text.find('\0', middle + 1);
      of_rank[text.substr(at, middle - at)] = text.substr(middle + 1, end - middle - 1);
      at = end + 1;
    }
  }
  std::map<std::string, std::string> names;
  for (const auto& of_rank : all) names.insert(of_rank.begin(), of_rank.end());
  std::string differences;
  for (const auto& entry : names) {
    const std::string& name = entry.first;
    std::map<std::string, std::vector<int>> by_value;  // all but rank 0's
    const auto value = [&](int rank) {
      const auto found = all[static_cast<size_t>(rank)].find(name);
      return found == all[static_cast<size_t>(rank)].end() ? "nothing" : found->second;
    };
    for (int rank = 1; rank < ranks.size(); ++rank)
      if (value(rank) != value(0)) by_value[value(rank)].push_back(rank);
    for (const auto& [theirs, who] : by_value)
      differences +=
          fmt::format("\n  {}: {} on {}, {} on rank 0", name, theirs, named(who), value(0));
  }
  if (!differences.empty())
    throw Error(
        "the ranks do not run the same; start all of them with the same program, data and "
        "options; differences:" +
        differences);
}

void check_same(Ranks& ranks, const std::vector<Tensor>& tensors, const std::string& when) {
  if (ranks.size() == 1) return;
  std::vector<int64_t> hashes;
  for (const Tensor& tensor : tensors) hashes.push_back(hash_of(bytes_to_read(tensor)));
  std::vector<int64_t> first = hashes;
  broadcast(ranks, std::as_writable_bytes(std::span(first)));
  const auto [theirs, mine] = std::ranges::mismatch(first, hashes);
  std::vector<int64_t> positions(static_cast<size_t>(ranks.size()));
  positions[static_cast<size_t>(ranks.rank())] = theirs - first.begin();
  sum_over_ranks(ranks, std::span(positions));
  const int64_t position = std::ranges::min(positions);
  if (position == std::ssize(tensors)) return;
  std::vector<int> who;
  for (int rank = 0; rank < ranks.size(); ++rank)
    if (positions[static_cast<size_t>(rank)] == position) who.push_back(rank);
  throw Error(fmt::format(
      "{}, parameter {}, {}, has other bits on {} than on rank 0; the processors' kernels may "
      "differ, or a memory is damaged; the last checkpoint is from before",
      when, position, tensors[static_cast<size_t>(position)].description(), named(who)));
}

}  // namespace gradus
