#include "core/kernels/large_blocks.h"

#include <algorithm>
#include <cstdint>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace gradus::large_blocks {

namespace {

/// On Linux a block is pages of its own; elsewhere, and where the sanitizer shall see each block,
/// it is left to the C++ library.
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
constexpr bool are_kept = true;
#else
constexpr bool are_kept = false;
#endif
constexpr int most_blocks = 256;
constexpr size_t most_bytes = size_t{1024} << 20;
constexpr size_t page = 4096;
constexpr size_t header = 64;                          // a cache line, so that tensors stay aligned
constexpr uint64_t address_space = uint64_t{1} << 47;  // of a process, in bytes

constinit thread_local bool closed = false;  // the thread is ending

/// How a block begins; its size, whole pages, includes this.
struct Block {
  size_t size;

  std::byte* begin() { return reinterpret_cast<std::byte*>(this); }
  std::byte* end() { return begin() + size; }
};

size_t whole_pages(size_t bytes) { return (bytes + page - 1) / page * page; }

#ifdef __linux__
Block* acquire(size_t size) {
  void* pages = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  return new (pages) Block{size};
}
void release(void* pages, size_t size) { munmap(pages, size); }
/// The same pages and others behind them, or nullptr: as under the thread sanitizer, which does not
/// see that pages move and takes those who had an address before and after for a race.
Block* grow([[maybe_unused]] Block* block, [[maybe_unused]] size_t size) {
#ifdef __SANITIZE_THREAD__
  return nullptr;
#else
  void* pages = mremap(block, block->size, size, MREMAP_MAYMOVE);
  return pages == MAP_FAILED ? nullptr : new (pages) Block{size};
#endif
}
#else
Block* acquire(size_t) { throw std::bad_alloc(); }
void release(void*, size_t) {}
Block* grow(Block*, size_t) { return nullptr; }
#endif

/// What a thread has given back, the oldest first. Blocks are cut and joined, and their pages can
/// move: so batches of other lengths find the memory of those before them, and new pages are rare.
/// With what the thread uses, this is never more than it has used at most.
class Kept {
 public:
  ~Kept() {
    closed = true;
    drop(most_bytes);
  }

  Block* take(size_t size) {
    Block* const block = find(size);
    used_ += static_cast<int64_t>(block->size);
    most_used_ = std::max(most_used_, used_);
    return block;
  }

  void give(Block* block) {
    used_ -= static_cast<int64_t>(block->size);
    keep(joined(block));
    if (kept_ > most_bytes) drop(kept_ - most_bytes);
  }

 private:
  /// One of this size, else the smallest larger one, else the largest smaller one with more pages.
  Block* find(size_t size) {
    int larger = -1, smaller = -1;
    for (int i = count_ - 1; i >= 0; --i) {
      const size_t given = blocks_[i]->size;
      if (given == size) return remove(i);
      int& best = given > size ? larger : smaller;
      if (best < 0 || (given > size) == (given < blocks_[best]->size)) best = i;
    }
    if (larger >= 0) {
      Block* const block = remove(larger);
      if (block->size - size >= smallest) {
        keep(new (block->begin() + size) Block{block->size - size});
        block->size = size;
      }
      return block;
    }
    if (smaller >= 0) {
      Block* const block = remove(smaller);
      if (Block* const grown = grow(block, size)) {
        make_room(size);
        return grown;
      }
      release(block, block->size);
    }
    make_room(size);
    return acquire(size);
  }

  /// The block and those that lie before and behind it, as one.
  Block* joined(Block* block) {
    for (int i = count_ - 1; i >= 0; --i) {
      Block* const other = blocks_[i];
      if (other->end() != block->begin() && block->end() != other->begin()) continue;
      remove(i);
      const size_t size = block->size + other->size;
      block = std::min(block, other);
      block->size = size;
    }
    return block;
  }

  void make_room(size_t size) {
    const int64_t all = used_ + static_cast<int64_t>(kept_ + size);
    if (all > most_used_) drop(static_cast<size_t>(all - most_used_));
  }

  void keep(Block* block) {
    if (count_ == most_blocks) release_oldest();
    blocks_[count_++] = block;
    kept_ += block->size;
  }

  Block* remove(int i) {
    Block* const block = blocks_[i];
    std::copy(blocks_ + i + 1, blocks_ + count_, blocks_ + i);
    --count_;
    kept_ -= block->size;
    return block;
  }

  void release_oldest() {
    Block* const block = remove(0);
    release(block, block->size);
  }

  /// Gives so many bytes of the oldest blocks back to the system, as far as there are any.
  void drop(size_t bytes) {
    while (count_ > 0 && bytes > 0) {
      Block* const oldest = blocks_[0];
      const size_t part = whole_pages(bytes);
      if (oldest->size >= part + smallest) {
        oldest->size -= part;
        kept_ -= part;
        return release(oldest->end(), part);
      }
      bytes -= std::min(bytes, oldest->size);
      release_oldest();
    }
  }

  Block* blocks_[most_blocks];
  int count_ = 0;
  size_t kept_ = 0;
  int64_t used_ = 0, most_used_ = 0;  // other threads may give back what this one has taken
};

Kept& kept() {
  static thread_local Kept all;
  return all;
}

}  // namespace

void* take(size_t bytes) {
  if (bytes >= address_space) throw std::bad_alloc();
  if (!are_kept || bytes < smallest) return ::operator new(bytes);
  const size_t size = whole_pages(bytes + header);
  return (closed ? acquire(size) : kept().take(size))->begin() + header;
}

void give(void* memory, size_t bytes) {
  if (!are_kept || bytes < smallest) return ::operator delete(memory);
  auto* const block = reinterpret_cast<Block*>(static_cast<std::byte*>(memory) - header);
  if (closed)
    release(block, block->size);
  else
    kept().give(block);
}

}  // namespace gradus::large_blocks
