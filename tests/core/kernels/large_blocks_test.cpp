#include "core/kernels/large_blocks.h"

#include <doctest/doctest.h>

#include <cstring>
#include <thread>
#include <vector>

using namespace gradus;

#ifndef __SANITIZE_ADDRESS__
TEST_CASE("a thread takes the large block again that it gave back, for nearly the same size") {
  std::thread([] {
    constexpr size_t size = size_t{1} << 20;
    void* first = large_blocks::take(size);
    std::memset(first, 1, size);
    large_blocks::give(first, size);
    void* second = large_blocks::take(size - 1000);
    CHECK(second == first);
    large_blocks::give(second, size - 1000);
  }).join();
}
#endif

TEST_CASE("blocks of any size come and go, also between threads") {
  std::vector<std::pair<void*, size_t>> blocks;
  for (size_t size = 1; size < (size_t{100} << 20); size = size * 3 + 7) {
    void* block = large_blocks::take(size);
    static_cast<char*>(block)[0] = static_cast<char*>(block)[size - 1] = 1;
    blocks.emplace_back(block, size);
  }
  std::thread([&] {
    for (const auto& [block, size] : blocks) large_blocks::give(block, size);
  }).join();
}
