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

/// rows × columns by `inner`. Of a weight that is kept, or else of two matrices, the left one
/// transposed where it is a gradient of weights.
struct ProductShape {
  const char* name;
  int64_t rows, columns, inner;
  enum { kept_weight, weight, plain, left_transposed } form;
};
/// Those of the translator, and a large one.
std::vector<ProductShape> product_shapes();
/// The shortest time of many runs, in seconds: ours, and OpenBLAS' with its own threads.
struct ProductTimes {
  double own, openblas;
};
ProductTimes time_product(const ProductShape& shape, int threads);
/// The processor that OpenBLAS takes this one for.
const char* openblas_processor();

}  // namespace gradus::bench
