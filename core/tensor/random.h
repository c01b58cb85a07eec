#pragma once

#include <cstdint>

#include "core/tensor/tensor.h"

namespace gradus {

/// A seeded source of random numbers: the SplitMix64 sequence (Steele, Lea, Flood 2014), so its
/// whole state is one number, and number i can be had without those before it.
class Generator {
 public:
  explicit Generator(uint64_t seed) : state_(seed) {}

  uint64_t next();
  /// Uniform in [0, 1), of 53 bits.
  double uniform();
  /// Uniform in [0, n). Throws Error for n < 1.
  int64_t below(int64_t n);
  /// Standard normal (Box & Muller 1958).
  double normal();
  /// A random order of [0, n).
  std::vector<int64_t> permutation(int64_t n);

  /// As if n numbers had been drawn.
  void skip(uint64_t n);

  uint64_t state() const { return state_; }
  void set_state(uint64_t state) { state_ = state; }

 private:
  uint64_t state_;
};

/// Elements drawn uniformly from [low, high).
Tensor random_uniform(const Shape& shape, double low, double high, Generator& generator,
                      DType dtype = DType::float32);
/// Elements drawn from the normal distribution.
Tensor random_normal(const Shape& shape, double mean, double deviation, Generator& generator,
                     DType dtype = DType::float32);

}  // namespace gradus
