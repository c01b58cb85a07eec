#include "examples/training/world.h"

#include <string>
#include <utility>

namespace gradus::training {

namespace {

Ranks alone;
thread_local Ranks* current = &alone;

}  // namespace

Ranks& world() { return *current; }

WithRanks::WithRanks(Ranks& ranks) : before_(std::exchange(current, &ranks)) {}
WithRanks::~WithRanks() { current = before_; }

std::pair<int64_t, int64_t> share_of(int64_t count) {
  const int64_t rank = world().rank(), size = world().size();
  return {rank * count / size, (rank + 1) * count / size};
}

std::vector<double> share_out(int64_t count, int64_t width,
                              const std::function<void(int64_t, double*)>& f) {
  std::vector<double> numbers(static_cast<size_t>(count * width));
  const auto [begin, end] = share_of(count);
  for (int64_t i = begin; i < end; ++i) f(i, numbers.data() + i * width);
  sum_over_ranks(world(), std::span(numbers));  // exact: all but one are 0
  return numbers;
}

std::vector<nlohmann::json> gather(const nlohmann::json& ours) {
  const std::vector<uint8_t> bytes = nlohmann::json::to_cbor(ours);
  std::vector<nlohmann::json> all;
  for (const std::string& text : gather(world(), std::string(bytes.begin(), bytes.end())))
    all.push_back(nlohmann::json::from_cbor(text));
  return all;
}

}  // namespace gradus::training
