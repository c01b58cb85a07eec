#pragma once

#include <stdint.h>

/// SplitMix64 (Steele, Lea, Flood, Fast splittable pseudorandom number generators, 2014): number i
/// after a state is mixed(state + i · increment), i = 1, 2, …, whatever came before. Each file has
/// its own copy, as of core/kernels/batch.h.
namespace gradus::split_mix {
namespace {

constexpr uint64_t increment = 0x9e3779b97f4a7c15;

/// z ← mixed(z), of one number or of a vector of them.
template <class U>
[[maybe_unused]] U& mix(U& z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z = z ^ (z >> 31);
}

}  // namespace
}  // namespace gradus::split_mix
