#include "core/kernels/pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

namespace gradus::pool {

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

/// One job at a time, cut into ranges: range i is done by worker i, range 0 by the caller. Workers
/// start with the first job.
class Pool {
 public:
  explicit Pool(int size) : size_(size) {}

  int size() const { return size_; }

  void resize(int size) {
    const std::lock_guard job(job_mutex_);
    set_workers(size - 1);
    size_ = size;
  }

  void run(int64_t n, int64_t ranges, const std::function<void(int64_t, int64_t)>& body) {
    const std::lock_guard job(job_mutex_);
    if (worker_count() < size_ - 1) start();
    publish([&] {
      body_ = &body;
      n_ = n;
      ranges_ = std::min<int64_t>(ranges, size_);
      error_ = nullptr;
      running_ = worker_count();
    });
    do_range(0);
    wait_until(mutex_, done_, [&] { return running_ == 0; });
    if (error_) std::rethrow_exception(error_);
  }

  void lock() { job_mutex_.lock(); }
  void unlock() { job_mutex_.unlock(); }
  /// In a child that was forked inside of a body, whose other ranges nobody does there.
  void abandon() {
    error_ = std::make_exception_ptr(
        std::runtime_error("parallel_for: the process was forked inside of it"));
    running_ = 0;
  }
  Pool* of_parent = nullptr;  // keeps what its threads left behind reachable

 private:
  int worker_count() const { return static_cast<int>(workers_.size()); }

  void start() {
    try {
      set_workers(size_ - 1);
    } catch (const std::system_error&) {
      size_ = 1 + worker_count();  // so be it with those that there are
    }
  }

  void set_workers(int count) {
    const int before = worker_count();
    workers_.reserve(static_cast<size_t>(count));
    try {
      while (worker_count() < count)
        workers_.emplace_back(
            [this, number = worker_count() + 1, seen = round_.load()] { work(number, seen); });
    } catch (...) {
      stop_from(before);
      throw;
    }
    stop_from(count);
  }

  /// Ends the workers after the first `count`.
  void stop_from(int count) {
    if (worker_count() <= count) return;
    publish([&] {
      ranges_ = 0;
      kept_ = count;
      running_ = count;
    });
    wait_until(mutex_, done_, [&] { return running_ == 0; });
    for (int i = count; i < worker_count(); ++i) workers_[static_cast<size_t>(i)].join();
    workers_.resize(static_cast<size_t>(count));
    kept_ = std::numeric_limits<int>::max();
  }

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
      if (number > kept_) return;
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
  std::atomic<int> size_, running_{0}, kept_{std::numeric_limits<int>::max()};
  std::atomic<uint64_t> round_{0};
  const std::function<void(int64_t, int64_t)>* body_ = nullptr;
  int64_t n_ = 0, ranges_ = 1;
  std::exception_ptr error_;
};

std::atomic<Pool*> current = nullptr;

Pool& pool() {
  static const bool made = [] {
    current = new Pool(std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
    // A job of another thread is finished before the fork. The child has none of the threads.
    pthread_atfork(
        [] {
          if (!inside) pool().lock();
        },
        [] {
          if (!inside) pool().unlock();
        },
        [] {
          Pool* parents = current;
          current = new Pool(parents->size());
          pool().of_parent = parents;
          if (inside) parents->abandon();
        });
    return true;
  }();
  (void)made;
  return *current.load(std::memory_order_relaxed);
}

}  // namespace

int size() { return pool().size(); }

void resize(int size) {
  if (inside) throw std::logic_error("called inside of parallel_for");
  if (size != pool().size()) pool().resize(size);
}

void run_ranges(int64_t n, int64_t ranges, const std::function<void(int64_t, int64_t)>& body) {
  if (inside || size() == 1)
    body(0, n);
  else
    pool().run(n, ranges, body);
}

}  // namespace gradus::pool
