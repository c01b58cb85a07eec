#pragma once

#include <memory>

#include "core/tensor/tensor.h"

namespace gradus {

template <class T>
class PackedMatrix;  // core/kernels/products.h

/// Whether packed() keeps the packed form of this matrix: it is a leaf that requires a gradient, a
/// parameter, which many products share before it changes.
bool keeps_packed(const Tensor& matrix);

/// A matrix, or its transpose, as the right side of products. That of a parameter is kept with it,
/// if `keep`, and made again when its storage has another version; threads may share it.
template <class T>
std::shared_ptr<const PackedMatrix<T>> packed(const Tensor& matrix, bool transposed,
                                              bool keep = true);

}  // namespace gradus
