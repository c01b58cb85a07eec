#pragma once

#include <cstdint>
#include <vector>

namespace gradus::bench {

/// What decides the sizes of the matrix products of one training step of the translator.
struct StepShape {
  std::vector<int64_t> sources, targets;  ///< tokens per sentence; the targets' with <eos>
  int64_t embedding, hidden, classes;
  bool input_feeding;
};

/// The floor under a training step: its matrix products alone, forward and backward, handed to
/// OpenBLAS in the best shapes that the model allows (all time steps in one product wherever no
/// step waits for the one before, weight gradients included), and without padding.
struct ProductsTime {
  double seconds, gflop;
};
/// Times them once, after a first round that is not timed, with OpenBLAS' own threads.
ProductsTime time_products(const StepShape& shape, int threads);

}  // namespace gradus::bench
