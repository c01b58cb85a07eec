#pragma once

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/tensor/error.h"
#include "optim/ranks.h"

namespace gradus::testing {

/// Ranks that are threads of the test, which need no MPI.
class ThreadRanks : public Ranks {
 public:
  /// What threads have in common.
  struct Post {
    std::mutex mutex;
    std::condition_variable changed;
    std::map<std::pair<int, int>, std::vector<std::byte>> letters;  // by sender and receiver
    bool is_cancelled = false;
    size_t bytes = 0;  // that were sent
  };

  ThreadRanks(Post& post, int rank, int size) : post_(post), rank_(rank), size_(size) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  size_t exchange(int with, std::span<const std::byte> send,
                  std::span<std::byte> receive) override {
    std::unique_lock lock(post_.mutex);
    const std::pair to{rank_, with}, from{with, rank_};
    const auto wait = [&](auto condition) {
      post_.changed.wait(lock, [&] { return post_.is_cancelled || condition(); });
      if (post_.is_cancelled) throw Error("cancelled");
    };
    if (!send.empty()) {
      wait([&] { return !post_.letters.contains(to); });
      post_.letters[to].assign(send.begin(), send.end());
      post_.bytes += send.size();
      post_.changed.notify_all();
    }
    if (receive.empty()) return 0;
    wait([&] { return post_.letters.contains(from); });
    const std::vector<std::byte> letter = std::move(post_.letters.extract(from).mapped());
    post_.changed.notify_all();
    if (letter.size() > receive.size()) throw Error("a message is longer than expected");
    std::memcpy(receive.data(), letter.data(), letter.size());
    return letter.size();
  }

  void cancel() override {
    const std::lock_guard lock(post_.mutex);
    post_.is_cancelled = true;
    post_.changed.notify_all();
  }

 private:
  Post& post_;
  int rank_, size_;
};

/// Calls f(ranks) on `size` ranks; returns what each threw, "" for nothing.
inline std::vector<std::string> on_ranks(int size, const std::function<void(Ranks&)>& f,
                                         ThreadRanks::Post&& post = {}) {
  std::vector<std::string> errors(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      ThreadRanks ranks(post, rank, size);
      try {
        f(ranks);
      } catch (const std::exception& error) {
        errors[static_cast<size_t>(rank)] = error.what();
        std::this_thread::sleep_for(std::chrono::milliseconds(300));  // others may find the same
        ranks.cancel();
      }
    });
  for (std::thread& thread : threads) thread.join();
  return errors;
}

}  // namespace gradus::testing
