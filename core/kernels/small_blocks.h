#pragma once

#include <cstddef>
#include <new>

#include "core/kernels/large_blocks.h"

namespace gradus {

/// Blocks of up to 512 bytes that one thread gives back and takes again, faster than the C library
/// does it: an op on small tensors is mostly allocation. Larger ones come from large_blocks.
class SmallBlocks {
 public:
  static void* take(size_t bytes) {
    const size_t kind = kind_of(bytes);
    if (kind >= kinds || closed) return large_blocks::take(bytes);
    List& list = lists().of[kind];
    if (!list.first) return ::operator new((kind + 1) * unit);
    Block* block = list.first;
    list.first = block->next;
    --list.length;
    return block;
  }

  static void give(void* memory, size_t bytes) {
    const size_t kind = kind_of(bytes);
    if (kind >= kinds || closed) return large_blocks::give(memory, bytes);
    List& list = lists().of[kind];
    if (list.length == longest) return ::operator delete(memory);
    list.first = new (memory) Block{list.first};
    ++list.length;
  }

 private:
  struct Block {
    Block* next;
  };
  struct List {
    Block* first = nullptr;
    int length = 0;
  };

#ifdef __SANITIZE_ADDRESS__
  static constexpr size_t kinds = 0;  // so that the sanitizer sees each block
#else
  static constexpr size_t kinds = 8;
#endif
  static constexpr size_t unit = 64;
  static constexpr int longest = 4096;

  struct Lists {
    List of[kinds + 1];
    ~Lists() {
      for (List& list : of)
        while (Block* block = list.first) {
          list.first = block->next;
          ::operator delete(block);
        }
      closed = true;
    }
  };
  static inline constinit thread_local bool closed = false;  // the thread is ending
  static size_t kind_of(size_t bytes) { return bytes == 0 ? 0 : (bytes - 1) / unit; }
  static Lists& lists() {
    static thread_local Lists all;
    return all;
  }
};

/// SmallBlocks for the standard library's containers and shared pointers.
template <class T>
struct SmallAllocator {
  using value_type = T;
  SmallAllocator() = default;
  template <class U>
  SmallAllocator(const SmallAllocator<U>&) {}
  T* allocate(size_t n) { return static_cast<T*>(SmallBlocks::take(n * sizeof(T))); }
  void deallocate(T* memory, size_t n) { SmallBlocks::give(memory, n * sizeof(T)); }
  bool operator==(const SmallAllocator&) const { return true; }
};

}  // namespace gradus
