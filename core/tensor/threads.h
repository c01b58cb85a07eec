#pragma once

#include <cstdint>
#include <functional>

/// Threads: how many there are, how work is given to them, and what they may share.
///
/// Ops use the threads of one pool. A program may also have threads of its own, which call ops:
///
/// - Reading is free: any number of threads may use the same tensors, parameters and layers as
///   inputs of ops at the same time, each with a graph of its own.
/// - Writing is not: while one thread writes a tensor's values (by assign, mutable_data, an
///   optimiser or loading), no other may read or write tensors that share its storage.
/// - A Generator belongs to one thread at a time.
/// - NoGrad, EnableGrad and NoFusion hold for the thread that made them, and for the bodies that
/// its
///   parallel_for runs on other threads. A trace and a Scope hold for their thread alone.
/// - Large ops of several threads take turns in the pool.
///
/// A process may fork at any time outside a body of parallel_for, and the child may use ops.
namespace gradus {

/// How many threads work on large ops, the caller included; at first as many as the processor has.
/// Results are the same bits for any number, see reproducible() in core/tensor/processor.h.
int threads();
/// Throws Error for fewer than 1, for more than the system gives (the number then stays as it was),
/// and inside a body of parallel_for.
void set_threads(int count);

/// What parallel_for runs when there is more than one range.
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
