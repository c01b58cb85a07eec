#pragma once

#include <cstddef>

/// Large blocks of memory that a thread gives back and takes again: of a new one from the system
/// every page is faulted in and cleared. Each thread keeps at most 1 GiB, so that what a training
/// step gives back at its end serves the next step.
namespace gradus::large_blocks {

constexpr size_t smallest = size_t{1} << 15;

void* take(size_t bytes);
void give(void* memory, size_t bytes);

}  // namespace gradus::large_blocks
