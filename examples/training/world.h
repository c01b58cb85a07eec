#pragma once

#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>
#include <vector>

#include "optim/ranks.h"

/// The processes that run a program together: one, unless mpirun started several. All of them do
/// the same; what they share out, and what only the first one writes, goes through here.
namespace gradus::training {

/// The ranks of this thread's program.
Ranks& world();
/// Whether this is the one that prints and saves.
inline bool is_first_rank() { return world().rank() == 0; }

/// While it lives, world() is `ranks` on this thread.
class WithRanks {
 public:
  explicit WithRanks(Ranks& ranks);
  ~WithRanks();
  WithRanks(const WithRanks&) = delete;
  WithRanks& operator=(const WithRanks&) = delete;

 private:
  Ranks* before_;
};

/// The part of [0, count) that is this rank's.
std::pair<int64_t, int64_t> share_of(int64_t count);

/// All ranks' values, one after the other.
std::vector<nlohmann::json> gather(const nlohmann::json& ours);

/// A result for each i of [0, count): f(begin, end) gives a vector of those of a range, of numbers,
/// texts, or vectors of these.
template <class F>
auto share_out(int64_t count, const F& f) {
  const auto [begin, end] = share_of(count);
  auto ours = f(begin, end);
  if (world().size() == 1) return ours;
  decltype(ours) all;
  for (const auto& share : gather(ours))
    for (const auto& result : share)
      all.push_back(result.template get<typename decltype(ours)::value_type>());
  return all;
}

/// The sums over i of [0, count) of what f(i) gives, a std::array of numbers, added in the order of
/// i: the same bits for any number of ranks.
template <class F>
auto share_out_sums(int64_t count, const F& f) {
  using Numbers = std::invoke_result_t<F, int64_t>;
  Numbers sums{};
  const auto all = share_out(count, [&](int64_t begin, int64_t end) {
    std::vector<Numbers> ours;
    for (int64_t i = begin; i < end; ++i) ours.push_back(f(i));
    return ours;
  });
  for (const Numbers& numbers : all)
    for (size_t k = 0; k < sums.size(); ++k) sums[k] += numbers[k];
  return sums;
}

}  // namespace gradus::training
