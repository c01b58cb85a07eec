#include "examples/training/world.h"

#include <cstring>
#include <utility>

namespace gradus::training {

namespace {

Ranks alone;
thread_local Ranks* current = &alone;

/// The part of [0, count) that is this rank's.
std::pair<int64_t, int64_t> share_of(int64_t count) {
  const int64_t rank = world().rank(), size = world().size();
  return {rank * count / size, (rank + 1) * count / size};
}

}  // namespace

Ranks& world() { return *current; }

WithRanks::WithRanks(Ranks& ranks) : before_(std::exchange(current, &ranks)) {}
WithRanks::~WithRanks() { current = before_; }

std::vector<double> share_out(int64_t count, int64_t width,
                              const std::function<void(int64_t, double*)>& f) {
  std::vector<double> numbers(static_cast<size_t>(count * width));
  const auto [begin, end] = share_of(count);
  for (int64_t i = begin; i < end; ++i) f(i, numbers.data() + i * width);
  sum_over_ranks(world(), std::span(numbers));  // exact: all but one are 0
  return numbers;
}

Lists share_out(int64_t count, const std::function<Lists(int64_t, int64_t)>& f) {
  const auto [begin, end] = share_of(count);
  Lists ours = f(begin, end);
  if (world().size() == 1) return ours;
  std::vector<int64_t> flat;
  for (const auto& list : ours) {
    flat.push_back(std::ssize(list));
    flat.insert(flat.end(), list.begin(), list.end());
  }
  Lists all;
  const std::string bytes(reinterpret_cast<const char*>(flat.data()),
                          flat.size() * sizeof(int64_t));
  for (const std::string& text : gather(world(), bytes)) {
    flat.resize(text.size() / sizeof(int64_t));
    std::memcpy(flat.data(), text.data(), text.size());
    for (auto at = flat.begin(); at != flat.end();) {
      const int64_t size = *at++;
      all.emplace_back(at, at + size);
      at += size;
    }
  }
  return all;
}

}  // namespace gradus::training
