#include "core/parallel.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/error.h"

namespace gradus {

namespace {

thread_local bool inside = false;  // a body is running on this thread

/// One job at a time, cut into ranges that the workers and the caller take in turn.
class Pool {
 public:
  ~Pool() { resize(0); }

  int size() {
    const std::lock_guard lock(job_mutex_);
    return static_cast<int>(workers_.size()) + 1;
  }

  void resize(int workers) {
    const std::lock_guard job_lock(job_mutex_);
    if (static_cast<int>(workers_.size()) == workers) return;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
    stopping_ = false;
    for (int i = 0; i < workers; ++i)
      workers_.emplace_back(
          [this, seen = round_, number = i + 1]() mutable { work(seen, number); });
  }

  void run(int64_t n, int64_t ranges, const std::function<void(int64_t, int64_t)>& body) {
    const std::lock_guard job_lock(job_mutex_);
    {
      const std::lock_guard lock(mutex_);
      body_ = &body;
      n_ = n;
      ranges_ = std::min<int64_t>(ranges, static_cast<int64_t>(workers_.size()) + 1);
      running_ = static_cast<int>(ranges_) - 1;
      error_ = nullptr;
      ++round_;
    }
    wake_.notify_all();
    take(0);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return running_ == 0; });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void take(int64_t range) {
    inside = true;
    try {
      (*body_)(n_ * range / ranges_, n_ * (range + 1) / ranges_);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
    inside = false;
  }

  void work(uint64_t seen, int number) {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return stopping_ || round_ != seen; });
      if (stopping_) return;
      seen = round_;
      if (number >= ranges_) continue;
      lock.unlock();
      take(number);
      lock.lock();
      if (--running_ == 0) done_.notify_one();
    }
  }

  std::mutex job_mutex_, mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> workers_;
  const std::function<void(int64_t, int64_t)>* body_ = nullptr;
  int64_t n_ = 0, ranges_ = 1;
  int running_ = 0;
  uint64_t round_ = 0;
  bool stopping_ = false;
  std::exception_ptr error_;
};

Pool& pool() {
  static Pool the_pool;
  static const bool started = [] {
    the_pool.resize(std::max(1, static_cast<int>(std::thread::hardware_concurrency())) - 1);
    return true;
  }();
  (void)started;
  return the_pool;
}

}  // namespace

int threads() { return pool().size(); }

void set_threads(int count) {
  if (count < 1) throw Error(fmt::format("set_threads: wants at least 1, was given {}", count));
  pool().resize(count - 1);
}

void parallel_for(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)>& body) {
  if (n <= 0) return;
  const int64_t ranges = n / std::max<int64_t>(grain, 1);
  if (inside || ranges < 2 || threads() == 1) return body(0, n);
  pool().run(n, ranges, body);
}

}  // namespace gradus
