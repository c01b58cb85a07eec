#pragma once

#include <algorithm>
#include <limits>

#include "core/kernels/simd.h"
#include "core/tensor/tensor.h"
#include "core/tensor/threads.h"

/// What ops along the last axis share. Not installed.
namespace gradus {

/// Calls `work(i)` for each row of n elements, on all threads where that is worth it.
template <class Work>
void for_rows(int64_t rows, int64_t n, const Work& work) {
  parallel_for(rows, std::max<int64_t>(1, 16384 / std::max<int64_t>(n, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) work(i);
               });
}

inline int64_t row_size(const Tensor& x) { return x.shape().back(); }
inline int64_t row_count(const Tensor& x) { return row_size(x) == 0 ? 0 : x.numel() / row_size(x); }

/// e = exp(x − largest) and its sum, 1 for a row of −∞ (whose e is 0), so that it can divide.
template <class T>
struct Exponentials {
  T largest, total;
  Exponentials(const T* x, T* e, int64_t n) {
    const auto& kernels = simd::kernels<T>();
    largest = kernels.max(x, n);
    if (largest == -std::numeric_limits<T>::infinity()) largest = 0;
    kernels.exp_shifted(x, largest, e, n);
    total = kernels.sum(e, n);
    if (total == 0) total = 1;
  }
};

}  // namespace gradus
