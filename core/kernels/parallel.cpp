#include "core/kernels/parallel.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/tensor/error.h"

namespace gradus {

namespace {

thread_local bool inside = false;  // a body is running on this thread

/// Waits for `ready` with a short spin first: the next piece of work usually comes within
/// microseconds, while waking a sleeping thread takes tens of them.
template <class Ready>
void wait_until(std::mutex& mutex, std::condition_variable& condition, Ready ready) {
  for (int spin = 0; spin < 4000; ++spin) {
    if (ready()) return;
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  std::unique_lock lock(mutex);
  condition.wait(lock, ready);
}

/// One job at a time, cut into ranges: range i is done by worker i, range 0 by the caller.
class Pool {
 public:
  Pool() { resize(std::max(1, static_cast<int>(std::thread::hardware_concurrency()))); }
  ~Pool() { resize(1); }

  int size() const { return size_; }

  void resize(int size) {
    const std::lock_guard job(job_mutex_);
    publish([&] { stopping_ = true; });
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
    stopping_ = false;
    size_ = size;
    for (int number = 1; number < size; ++number)
      workers_.emplace_back([this, number, seen = round_.load()] { work(number, seen); });
  }

  void run(int64_t n, int64_t ranges, const std::function<void(int64_t, int64_t)>& body) {
    const std::lock_guard job(job_mutex_);
    publish([&] {
      body_ = &body;
      n_ = n;
      ranges_ = std::min<int64_t>(ranges, size_);
      error_ = nullptr;
      running_ = size_ - 1;
    });
    do_range(0);
    wait_until(mutex_, done_, [&] { return running_ == 0; });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  template <class Change>
  void publish(Change change) {
    {
      const std::lock_guard lock(mutex_);
      change();
      ++round_;
    }
    wake_.notify_all();
  }

  void do_range(int64_t range) {
    if (range >= ranges_) return;
    inside = true;
    try {
      (*body_)(n_ * range / ranges_, n_ * (range + 1) / ranges_);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
    inside = false;
  }

  void work(int number, uint64_t seen) {
    while (true) {
      wait_until(mutex_, wake_, [&] { return round_ != seen; });
      ++seen;  // a new round is only published when all workers have finished the last one
      if (stopping_) return;
      do_range(number);
      if (--running_ == 0) {
        { const std::lock_guard lock(mutex_); }  // the caller is either before its check or asleep
        done_.notify_one();
      }
    }
  }

  std::mutex job_mutex_, mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> workers_;
  std::atomic<int> size_{1}, running_{0};
  std::atomic<uint64_t> round_{0};
  std::atomic<bool> stopping_{false};
  const std::function<void(int64_t, int64_t)>* body_ = nullptr;
  int64_t n_ = 0, ranges_ = 1;
  std::exception_ptr error_;
};

Pool& pool() {
  static Pool the_pool;
  return the_pool;
}

}  // namespace

int threads() { return pool().size(); }

void set_threads(int count) {
  if (count < 1) throw Error(fmt::format("set_threads: wants at least 1, was given {}", count));
  if (count != threads()) pool().resize(count);
}

void run_ranges(int64_t n, int64_t ranges, const std::function<void(int64_t, int64_t)>& body) {
  if (inside || threads() == 1)
    body(0, n);
  else
    pool().run(n, ranges, body);
}

}  // namespace gradus
