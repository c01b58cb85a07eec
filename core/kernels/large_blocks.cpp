#include "core/kernels/large_blocks.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace gradus::large_blocks {

namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr int most_blocks = 0;  // so that the sanitizer sees each block
#else
constexpr int most_blocks = 256;
#endif
constexpr size_t most_bytes = size_t{64} << 20;
/// From this size on, blocks are whole pages. They are cut and joined, and pages can move: so
/// batches of other lengths find the memory of those before them, and new pages are rare.
constexpr size_t smallest_mapped = size_t{1} << 18;
constexpr size_t page = 4096;
constexpr size_t header = 64;  // a cache line, so that tensors stay aligned

constinit thread_local bool closed = false;  // the thread is ending

/// How a block begins; its size includes this.
struct Block {
  size_t size;

  std::byte* begin() { return reinterpret_cast<std::byte*>(this); }
  std::byte* end() { return begin() + size; }
};

#ifdef __linux__
bool is_mapped(size_t size) { return size >= smallest_mapped; }
void* map(size_t size) {
  void* pages = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  return pages;
}
void unmap(void* pages, size_t size) { munmap(pages, size); }
/// The same pages and others behind them, or nullptr.
void* grow(void* pages, size_t size, size_t wanted) {
  void* result = mremap(pages, size, wanted, MREMAP_MAYMOVE);
  return result == MAP_FAILED ? nullptr : result;
}
#else
bool is_mapped(size_t) { return false; }
void* map(size_t) { throw std::bad_alloc(); }
void unmap(void*, size_t) {}
void* grow(void*, size_t, size_t) { return nullptr; }
#endif

/// Smaller blocks have sizes an eighth apart, so that one fits again.
size_t rounded(size_t bytes) {
  const size_t unit = is_mapped(bytes) ? page : std::bit_floor(bytes) / 8;
  return (bytes + unit - 1) / unit * unit;
}

Block* acquire(size_t size) {
  return new (is_mapped(size) ? map(size) : ::operator new(size)) Block{size};
}
void release(Block* block) {
  if (is_mapped(block->size))
    unmap(block, block->size);
  else
    ::operator delete(block);
}

/// What a thread has given back, the oldest first. With what it uses, this is never more than it
/// has used at most.
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
    if (is_mapped(block->size)) block = joined(block);
    keep(block);
    if (kept_ > most_bytes) drop(kept_ - most_bytes);
  }

 private:
  /// One of this size, else the smallest larger one, else the largest smaller one with more pages.
  Block* find(size_t size) {
    int larger = -1, smaller = -1;
    for (int i = count_ - 1; i >= 0; --i) {
      const size_t given = blocks_[i]->size;
      if (given == size) return remove(i);
      if (is_mapped(given) != is_mapped(size)) continue;
      int& best = given > size ? larger : smaller;
      if (best < 0 || (given > size) == (given < blocks_[best]->size)) best = i;
    }
    if (!is_mapped(size)) larger = smaller = -1;
    if (larger >= 0) {
      Block* const block = remove(larger);
      if (block->size - size >= smallest_mapped) {
        keep(new (block->begin() + size) Block{block->size - size});
        block->size = size;
      }
      return block;
    }
    if (smaller >= 0) {
      Block* const block = remove(smaller);
      if (void* grown = grow(block, block->size, size)) {
        make_room(size);
        return new (grown) Block{size};
      }
      release(block);
    }
    make_room(size);
    return acquire(size);
  }

  /// The block and those that lie before and behind it, as one.
  Block* joined(Block* block) {
    for (int i = count_ - 1; i >= 0; --i) {
      Block* const other = blocks_[i];
      if (other->end() != block->begin() && block->end() != other->begin()) continue;
      if (!is_mapped(other->size)) continue;
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
    if (count_ == most_blocks) release(remove(0));
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

  /// Gives so many bytes of the oldest blocks back to the system, as far as there are any.
  void drop(size_t bytes) {
    while (count_ > 0 && bytes > 0) {
      Block* const block = remove(0);
      const size_t part = (bytes + page - 1) / page * page;
      if (is_mapped(block->size) && block->size >= part + smallest_mapped) {
        block->size -= part;
        unmap(block->end(), part);
        keep(block);
        return;
      }
      bytes -= std::min(bytes, block->size);
      release(block);
    }
  }

  Block* blocks_[std::max(1, most_blocks)];
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
  if (bytes < smallest || most_blocks == 0) return ::operator new(bytes);
  if (bytes > ~size_t{0} / 2) throw std::bad_alloc();
  const size_t size = rounded(bytes + header);
  return (closed ? acquire(size) : kept().take(size))->begin() + header;
}

void give(void* memory, size_t bytes) {
  if (bytes < smallest || most_blocks == 0) return ::operator delete(memory);
  auto* const block = reinterpret_cast<Block*>(static_cast<std::byte*>(memory) - header);
  if (closed)
    release(block);
  else
    kept().give(block);
}

}  // namespace gradus::large_blocks
