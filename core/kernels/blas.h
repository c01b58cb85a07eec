#pragma once

#include "core/kernels/matrix.h"

namespace gradus::blas {

/// OpenBLAS is loaded when it is first asked for: a program that does not ask has neither its
/// memory nor its threads, and needs not have it installed.

/// The function of this name, or nullptr if OpenBLAS or the function is not there.
void* function(const char* name);

/// c = start + a · b by OpenBLAS, as products::multiply() says, on the pool's threads. False if
/// OpenBLAS is not there, cannot take a size or a stride, or has ended because the program has;
/// nothing is done then.
template <class T>
bool multiply(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<const T>& start,
              const Matrix<T>& c);

}  // namespace gradus::blas
