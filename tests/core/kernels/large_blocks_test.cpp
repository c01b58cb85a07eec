#include "core/kernels/large_blocks.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <cstdint>
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

TEST_CASE("a large block that was given back is cut for smaller ones, and joined again") {
  std::thread([] {
    constexpr size_t size = size_t{8} << 20, part = size_t{2} << 20;
    char* const first = static_cast<char*>(large_blocks::take(size));
    large_blocks::give(first, size);
    std::vector<void*> parts;
    for (int i = 0; i < 3; ++i) parts.push_back(large_blocks::take(part));
    for (void* memory : parts) {
      std::memset(memory, 1, part);
      CHECK(memory >= first);
      CHECK(static_cast<char*>(memory) + part <= first + size);
    }
    for (void* memory : parts) large_blocks::give(memory, part);
    void* const again = large_blocks::take(size);
    CHECK(again == first);
    large_blocks::give(again, size);
  }).join();
}

TEST_CASE("what a whole training step has used is there for the next one") {
  std::thread([] {
    constexpr size_t size = size_t{5} << 20, count = 60;
    const auto faults_of_step = [&] {
      rusage before{}, after{};
      getrusage(RUSAGE_THREAD, &before);
      std::vector<void*> tape;
      for (size_t i = 0; i < count; ++i)
        std::memset(tape.emplace_back(large_blocks::take(size)), 1, size);
      for (void* memory : tape) large_blocks::give(memory, size);
      getrusage(RUSAGE_THREAD, &after);
      return after.ru_minflt - before.ru_minflt;
    };
    const long first = faults_of_step();
    CHECK(faults_of_step() < first / 10);
  }).join();
}

TEST_CASE("a thread that has used blocks of many sizes still gets each of them whole") {
  std::thread([] {
    std::vector<std::pair<unsigned char*, size_t>> used;
    uint64_t random = 1;
    for (int round = 0; round < 3000; ++round) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      if (used.size() > 20 || (random >> 60) < 6) {
        if (used.empty()) continue;
        const size_t i = (random >> 33) % used.size();
        const auto [memory, size] = used[i];
        const auto mark = static_cast<unsigned char>(size);
        CHECK((memory[0] == mark && memory[size / 2] == mark && memory[size - 1] == mark));
        large_blocks::give(memory, size);
        used.erase(used.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        const size_t size = (size_t{1} << (15 + (random >> 58) % 8)) + (random >> 40) % 100'000;
        auto* const memory = static_cast<unsigned char*>(large_blocks::take(size));
        CHECK(reinterpret_cast<uintptr_t>(memory) % 16 == 0);
        memory[0] = memory[size / 2] = memory[size - 1] = static_cast<unsigned char>(size);
        used.emplace_back(memory, size);
      }
    }
    for (const auto& [memory, size] : used) large_blocks::give(memory, size);
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
