#pragma once

#include <cstdint>
#include <functional>

namespace gradus {

/// How many threads work on large operations, the caller included; at first as many as the
/// processor has. Results are the same bits for the same number.
int threads();
/// Throws Error for fewer than 1.
void set_threads(int count);

/// Runs `body(begin, end)` on at most threads() ranges that make up [0, n); see parallel_for.
void run_ranges(int64_t n, int64_t ranges, const std::function<void(int64_t, int64_t)>& body);

/// Cuts [0, n) into at most threads() ranges of at least `grain` and runs `body(begin, end)` on
/// each, one of them on the calling thread. Calls from within `body` run on one thread.
/// The first exception of any range is thrown again here.
template <class Body>
void parallel_for(int64_t n, int64_t grain, const Body& body) {
  const int64_t ranges = grain > 0 ? n / grain : n;
  if (ranges >= 2)
    run_ranges(n, ranges, std::cref(body));
  else if (n > 0)
    body(int64_t{0}, n);
}

}  // namespace gradus
