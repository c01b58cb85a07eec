#include "core/kernels/parallel.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <vector>

#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

namespace {
/// Another number of threads while it lives.
struct Threads {
  explicit Threads(int count) : before(threads()) { set_threads(count); }
  ~Threads() { set_threads(before); }
  int before;
};
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

TEST_CASE("the number of threads is what was set, and at least one") {
  const Threads scope(3);
  CHECK(threads() == 3);
  CHECK(error_of([] { set_threads(0); }) == "set_threads: wants at least 1, was given 0");
  CHECK(threads() == 3);
}
