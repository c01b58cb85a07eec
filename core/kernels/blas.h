#pragma once

#include "core/kernels/matrix.h"

namespace gradus::blas {

/// c = start + a · b by OpenBLAS, as products::multiply() says, on the pool's threads. False if
/// OpenBLAS cannot take a size or a stride, or has ended because the program has; nothing is done
/// then.
template <class T>
bool multiply(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<const T>& start,
              const Matrix<T>& c);

}  // namespace gradus::blas
