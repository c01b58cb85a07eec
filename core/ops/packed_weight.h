#pragma once

#include <memory>

#include "core/tensor/tensor.h"

namespace gradus {

template <class T>
class PackedMatrix;  // core/kernels/packed_matrix.h

/// While it lives, parameters do not change, promises who makes it: the products on this thread
/// then keep them as panels. It is for the forward and backward pass of a training step, where each
/// time step multiplies by the same weights, and for decoding.
class ConstantParameters {
 public:
  ConstantParameters();
  ~ConstantParameters();
  ConstantParameters(const ConstantParameters&) = delete;
  ConstantParameters& operator=(const ConstantParameters&) = delete;
};

/// A matrix with contiguous rows, or its transpose, as the right side of products: kept by
/// ConstantParameters if it is a parameter.
template <class T>
std::shared_ptr<const PackedMatrix<T>> packed(const Tensor& matrix, bool transposed);
/// Whether ConstantParameters keeps them.
bool keeps_packed(const Tensor& matrix);

}  // namespace gradus
