#pragma once

#include <functional>
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

/// `width` numbers for each i of [0, count), which f(i, numbers) writes; each i is computed on one
/// rank, and all ranks get all numbers, one i after the other.
std::vector<double> share_out(int64_t count, int64_t width,
                              const std::function<void(int64_t i, double* numbers)>& f);

/// A list for each i of [0, count): f(begin, end) computes those of a range.
using Lists = std::vector<std::vector<int64_t>>;
Lists share_out(int64_t count, const std::function<Lists(int64_t begin, int64_t end)>& f);

}  // namespace gradus::training
