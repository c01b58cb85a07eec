#pragma once

#include <cstdint>
#include <functional>

/// The one pool of threads, behind core/tensor/threads.h. It is never destroyed, so that threads
/// may be at work when the program ends, and starts again in a forked child.
namespace gradus::pool {

int size();
/// Throws std::logic_error inside of a body, std::system_error when the system has no more threads;
/// the size is then what it was.
void resize(int size);
/// Runs `body(begin, end)` on at most size() ranges that make up [0, n); see parallel_for.
void run_ranges(int64_t n, int64_t ranges, const std::function<void(int64_t, int64_t)>& body);

/// See core/tensor/threads.h.
template <class Body>
void parallel_for(int64_t n, int64_t grain, const Body& body) {
  const int64_t ranges = grain > 0 ? n / grain : n;
  if (ranges >= 2)
    run_ranges(n, ranges, std::cref(body));
  else if (n > 0)
    body(int64_t{0}, n);
}

}  // namespace gradus::pool
