#pragma once

#include <cstdint>
#include <functional>

namespace gradus {

/// How many threads work on large operations, the caller included; at first as many as the
/// processor has. Results are the same bits for the same number.
int threads();
/// Throws Error for fewer than 1.
void set_threads(int count);

/// Cuts [0, n) into at most threads() ranges of at least `grain` and runs `body(begin, end)` on
/// each, one of them on the calling thread. Calls from within `body` run on one thread.
/// The first exception of any range is thrown again here.
void parallel_for(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)>& body);

}  // namespace gradus
