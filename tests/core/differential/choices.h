#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

/// Random cases that can be shrunk. A generator draws every decision from Choices, where 0 is the
/// simplest answer. The list of answers is the case: a shorter list, or smaller answers, is a
/// simpler case (MacIver & Donaldson 2020, "Test-case reduction via test-case generation").
namespace gradus::differential {

class Choices {
 public:
  using List = std::vector<uint32_t>;

  /// New ones, by the SplitMix64 sequence.
  explicit Choices(uint64_t seed) : state_(seed) {}
  /// Those of the list; 0 after its end.
  explicit Choices(const List& given) : given_(&given) {}

  /// A number in [0, n).
  uint32_t below(uint32_t n) {
    uint32_t answer = 0;
    if (!given_)
      answer = n > 1 ? static_cast<uint32_t>(next() % n) : 0;
    else if (taken_.size() < given_->size())
      answer = std::min((*given_)[taken_.size()], n - 1);
    taken_.push_back(answer);
    return answer;
  }
  /// True in about one of n cases.
  bool one_in(uint32_t n) { return below(n) == n - 1; }
  /// A number in [low, high]; low is the simplest.
  int64_t between(int64_t low, int64_t high) {
    return low + below(static_cast<uint32_t>(high - low + 1));
  }

  const List& taken() const { return taken_; }

 private:
  uint64_t next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
  }

  uint64_t state_ = 0;
  const List* given_ = nullptr;
  List taken_;
};

/// The seed of a test: GRADUS_SEED, or 1; "GRADUS_SEED=time" takes the clock's.
inline uint64_t seed() {
  const char* given = std::getenv("GRADUS_SEED");
  if (!given) return 1;
  static const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  return given == std::string("time") ? static_cast<uint64_t>(now)
                                      : std::strtoull(given, nullptr, 10);
}

/// A simpler list for which `fails` still holds. `fails(list)` gives the choices that the case took
/// where it fails, and nothing where it passes.
template <class Fails>
Choices::List shrink(Choices::List best, const Fails& fails, double seconds = 10) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  bool improved = true;
  auto attempt = [&](const Choices::List& candidate) {
    if (std::chrono::steady_clock::now() > end) return false;
    const std::optional<Choices::List> taken = fails(candidate);
    if (!taken || taken->size() > best.size() || (taken->size() == best.size() && *taken >= best))
      return false;
    best = *taken;
    return improved = true;
  };
  // Smaller answers, by bisection.
  auto lower = [&](size_t count) {
    for (size_t at = 0; at < std::min(count, best.size()); ++at)
      for (uint32_t low = 0; at < best.size() && low < best[at];) {
        Choices::List candidate = best;
        candidate[at] = low + (best[at] - low) / 2;
        if (!attempt(candidate)) low = candidate[at] + 1;
      }
  };
  lower(50);  // the sizes are among them
  while (improved) {
    improved = false;
    for (size_t n = best.size(); n > 0; n /= 2)  // leave out n at a time, then make n zero
      for (const bool remove : {true, false})
        for (size_t at = 0; at + n <= best.size();) {
          Choices::List candidate = best;
          const auto first = candidate.begin() + static_cast<std::ptrdiff_t>(at);
          if (remove)
            candidate.erase(first, first + static_cast<std::ptrdiff_t>(n));
          else
            std::fill_n(first, n, 0u);
          if (!attempt(candidate) || !remove) at += n;
        }
    for (size_t at = 0; at < best.size() && best.size() < 80; ++at)  // one axis less, say
      for (size_t n = 1; n <= 3; ++n)
        for (size_t gone = at + 1; gone + n <= best.size() && best[at] > 0; ++gone) {
          Choices::List candidate = best;
          --candidate[at];
          const auto first = candidate.begin() + static_cast<std::ptrdiff_t>(gone);
          candidate.erase(first, first + static_cast<std::ptrdiff_t>(n));
          if (attempt(candidate)) gone = at;
        }
    lower(best.size());
  }
  return best;
}

}  // namespace gradus::differential
