#include "core/tensor/threads.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <vector>

#include "core/autograd/fused.h"
#include "core/ops/pointwise.h"
#include "tests/core/autograd/leaf.h"
#include "tests/core/helpers.h"
#include "tests/sanitized.h"

using namespace gradus;
using namespace gradus::testing;

namespace {
/// Another number of threads while it lives.
struct Threads {
  explicit Threads(int count) : before(threads()) { set_threads(count); }
  ~Threads() { set_threads(before); }
  int before;
};

/// How many ranges there were, on as many threads.
int ranges_of_a_job() {
  std::atomic<int> ranges = 0;
  parallel_for(100, 1, [&](int64_t, int64_t) { ++ranges; });
  return ranges;
}

/// What a forked child returns from `body`, or −1 when it was killed, for instance because it
/// hangs.
template <class Body>
int status_of_child(const Body& body) {
  std::cout.flush();
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(body());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
}  // namespace

TEST_CASE("parallel_for covers its range, each index once") {
  for (int count : {1, 2, 5}) {
    const Threads scope(count);
    for (int64_t n : {0, 1, 2, 7, 1000})
      for (int64_t grain : {1, 3, 2000}) {
        std::vector<std::atomic<int>> visits(static_cast<size_t>(n));
        parallel_for(n, grain, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
        });
        CHECK(std::all_of(visits.begin(), visits.end(), [](const auto& v) { return v == 1; }));
      }
  }
}

TEST_CASE("ranges are no shorter than the grain and no more than the threads") {
  const Threads scope(3);
  for (int64_t n : {1, 9, 10, 25, 1000}) {
    std::atomic<int> ranges = 0, shortest = 1 << 30;
    parallel_for(n, 10, [&](int64_t begin, int64_t end) {
      ++ranges;
      for (int seen = shortest; end - begin < seen;)
        if (shortest.compare_exchange_weak(seen, static_cast<int>(end - begin))) break;
    });
    CHECK(ranges <= 3);
    CHECK(shortest >= std::min<int64_t>(n, 10));
  }
}

TEST_CASE("an exception of any range is thrown again, and the threads live on") {
  const Threads scope(2);
  for (int64_t bad : {0, 99})
    CHECK_THROWS_WITH_AS(parallel_for(100, 1,
                                      [&](int64_t begin, int64_t end) {
                                        if (begin <= bad && bad < end)
                                          throw std::domain_error("bad index");
                                      }),
                         "bad index", std::domain_error);
  std::atomic<int64_t> total = 0;
  parallel_for(100, 1, [&](int64_t begin, int64_t end) { total += end - begin; });
  CHECK(total == 100);
}

TEST_CASE("calls from within a range run on its thread") {
  const Threads scope(2);
  std::atomic<int64_t> total = 0, pieces = 0;
  parallel_for(4, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      parallel_for(100, 1, [&](int64_t inner_begin, int64_t inner_end) {
        ++pieces;
        total += inner_end - inner_begin;
      });
  });
  CHECK(total == 400);
  CHECK(pieces == 4);
}

TEST_CASE("NoGrad and NoFusion hold for every range, and no longer on its thread") {
  const Threads scope(3);
  const Tensor x = leaf({1, 2});
  const auto count = [&](auto asked) {
    std::atomic<int> yes = 0;
    parallel_for(3, 1, [&](int64_t, int64_t) { yes += asked(); });
    return yes.load();
  };
  const auto recorded = [&] { return (x + x).requires_grad(); };
  const auto composed = [] { return NoFusion::in_force(); };
  CHECK(count(recorded) == 3);
  {
    const NoGrad no_grad;
    const NoFusion no_fusion;
    CHECK(count(recorded) == 0);
    CHECK(count(composed) == 3);
    CHECK(count([&] {
            const EnableGrad enable;
            return recorded();
          }) == 3);
    CHECK_THROWS_AS(parallel_for(3, 1, [](int64_t, int64_t) { throw Error("stop"); }), Error);
  }
  CHECK(count(recorded) == 3);
  CHECK(count(composed) == 0);
}

TEST_CASE("the number of threads is what was set, and at least one") {
  const Threads scope(3);
  CHECK(threads() == 3);
  CHECK(error_of([] { set_threads(0); }) == "set_threads: expected at least 1, got 0");
  CHECK(threads() == 3);
}

TEST_CASE("the number of threads cannot change inside of a range") {
  const Threads scope(2);
  std::vector<std::string> errors(2);
  parallel_for(2, 1, [&](int64_t begin, int64_t) {
    errors[static_cast<size_t>(begin)] = error_of([] { set_threads(3); });
  });
  for (const std::string& error : errors)
    CHECK(error == "set_threads: called inside of parallel_for");
  CHECK(threads() == 2);
}

TEST_CASE("more threads come and go without those that stay") {
  const Threads scope(2);
  for (const int count : {5, 3, 1, 4, 2}) {
    set_threads(count);
    CHECK(ranges_of_a_job() == count);
  }
}

TEST_CASE("a forked child has threads of its own, and ends") {
  const Threads scope(3);
  CHECK(ranges_of_a_job() == 3);
  CHECK(status_of_child([] { return ranges_of_a_job(); }) == 3);
  CHECK(status_of_child([] {
          set_threads(2);
          return ranges_of_a_job() * 10 +
                 status_of_child([] { return ranges_of_a_job(); });  // a grandchild
        }) == 22);
  CHECK(status_of_child([]() -> int {
          ranges_of_a_job();
          std::quick_exit(ranges_of_a_job());
        }) == 3);
  CHECK(ranges_of_a_job() == 3);
}

TEST_CASE("a child that was forked inside of a range gets an error when it comes out of it") {
  const Threads scope(2);
  std::cout.flush();
  const pid_t parent = getpid();
  int status = -1;
  try {
    parallel_for(2, 1, [&](int64_t begin, int64_t) {
      if (begin != 0) return;
      const pid_t child = fork();
      if (child == 0)
        alarm(20);
      else
        waitpid(child, &status, 0);
    });
  } catch (const std::runtime_error& error) {
    if (getpid() != parent)
      _exit(error.what() == std::string("parallel_for: the process was forked inside of it"));
  }
  if (getpid() != parent) _exit(2);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
}

// ThreadSanitizer ends a program whose thread was refused.
TEST_CASE("threads that the system does not give are an error, and those that were there stay" *
          doctest::skip(threads_watched)) {
  const Threads scope(2);
  CHECK(status_of_child([] {
          size_t pages = 0;
          std::ifstream("/proc/self/statm") >> pages;
          const rlim_t room = pages * static_cast<size_t>(sysconf(_SC_PAGESIZE)) + (1 << 28);
          const rlimit limit{room, room};
          setrlimit(RLIMIT_AS, &limit);
          const std::string error = error_of([] { set_threads(2000); });
          return error.starts_with("set_threads: the system does not give 2000 threads (") &&
                         error.ends_with("; there are 2") && ranges_of_a_job() == 2
                     ? 0
                     : 1;
        }) == 0);
}
