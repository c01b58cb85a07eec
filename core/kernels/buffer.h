#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/kernels/small_blocks.h"

namespace gradus {

/// n elements at the start of a cache line, not initialised.
template <class T>
class Buffer {
 public:
  explicit Buffer(int64_t n)
      : bytes_(static_cast<size_t>(n) * sizeof(T) + line - 1), memory_(SmallBlocks::take(bytes_)) {}
  ~Buffer() { SmallBlocks::give(memory_, bytes_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  T* data() const {
    return reinterpret_cast<T*>((reinterpret_cast<uintptr_t>(memory_) + line - 1) / line * line);
  }

 private:
  static constexpr size_t line = 64;
  size_t bytes_;
  void* memory_;
};

/// n elements, not initialised: on the stack as long as they are few.
template <class T, int64_t few>
class Scratch {
 public:
  explicit Scratch(int64_t n) {
    if (n > few) data_ = many_.emplace(n).data();
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return data_; }

 private:
  alignas(64) T few_[few];
  std::optional<Buffer<T>> many_;
  T* data_ = few_;
};

}  // namespace gradus
