#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace gradus {

/// Memory that tensors share: bytes from the start of a cache line on, not initialised, and a
/// version, by which a backward pass notices that a value has changed since the forward pass.
class Storage {
 public:
  static constexpr size_t line = 64;

  static std::shared_ptr<Storage> allocate(size_t bytes);

  std::byte* data() { return reinterpret_cast<std::byte*>(this) + line; }
  const std::byte* data() const { return reinterpret_cast<const std::byte*>(this) + line; }

  /// How often the values may have changed.
  uint32_t version() const { return version_.load(std::memory_order_relaxed); }
  /// Each access for writing calls it. Writers of one storage need an order of their own.
  void raise_version() { version_.store(version() + 1, std::memory_order_relaxed); }

 private:
  Storage() = default;

  std::atomic<uint32_t> version_{0};
};

}  // namespace gradus
