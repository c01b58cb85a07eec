#include "core/kernels/large_blocks.h"

#include <algorithm>
#include <bit>
#include <new>

namespace gradus::large_blocks {

namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr int most_blocks = 0;  // so that the sanitizer sees each block
#else
constexpr int most_blocks = 256;
#endif
constexpr size_t most_bytes = size_t{64} << 20;

/// Blocks of few sizes, an eighth apart, so that one fits again.
size_t rounded(size_t bytes) {
  const size_t step = std::bit_floor(bytes) / 8;
  return (bytes + step - 1) / step * step;
}

constinit thread_local bool closed = false;  // the thread is ending

/// What a thread has given back, the oldest first.
class Kept {
 public:
  ~Kept() {
    closed = true;
    drop(most_bytes);
  }

  void* take(size_t size) {
    for (int i = count_ - 1; i >= 0; --i)
      if (blocks_[i].size == size) {
        void* memory = blocks_[i].memory;
        remove(i, i + 1);
        return memory;
      }
    drop(size);  // else what is kept would come on top of what is used
    return ::operator new(size);
  }

  void give(void* memory, size_t size) {
    if (size > most_bytes) return ::operator delete(memory);
    if (kept_ + size > most_bytes) drop(kept_ + size - most_bytes);
    if (count_ == most_blocks) drop(1);
    blocks_[count_++] = {memory, size};
    kept_ += size;
  }

 private:
  /// Gives the oldest blocks back to the system, of so many bytes or more, as far as there are any.
  void drop(size_t bytes) {
    size_t dropped = 0;
    int end = 0;
    for (; end < count_ && dropped < bytes; ++end) {
      dropped += blocks_[end].size;
      ::operator delete(blocks_[end].memory);
    }
    remove(0, end);
  }

  void remove(int begin, int end) {
    for (int i = begin; i < end; ++i) kept_ -= blocks_[i].size;
    std::copy(blocks_ + end, blocks_ + count_, blocks_ + begin);
    count_ -= end - begin;
  }

  struct Block {
    void* memory;
    size_t size;
  };
  Block blocks_[std::max(1, most_blocks)];
  int count_ = 0;
  size_t kept_ = 0;
};

Kept& kept() {
  static thread_local Kept all;
  return all;
}

}  // namespace

void* take(size_t bytes) {
  if (bytes < smallest || most_blocks == 0) return ::operator new(bytes);
  return closed ? ::operator new(rounded(bytes)) : kept().take(rounded(bytes));
}

void give(void* memory, size_t bytes) {
  if (bytes < smallest || most_blocks == 0 || closed) return ::operator delete(memory);
  kept().give(memory, rounded(bytes));
}

}  // namespace gradus::large_blocks
