#include "core/kernels/products.h"

#include <cblas.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/kernels/flush_subnormals.h"
#include "core/kernels/pool.h"
#include "core/kernels/simd.h"

namespace gradus::products {

namespace {

int blas_size(int64_t size) {
  if (size > largest_size)
    throw std::length_error("a size or stride of " + std::to_string(size) + " is beyond " +
                            std::to_string(largest_size) + ", the largest that BLAS takes");
  return static_cast<int>(size);
}

/// A row-major matrix of one row has no distance between rows.
template <class T>
int leading(const Matrix<T>& x) {
  const int64_t rows = x.transposed ? x.columns : x.rows,
                across = x.transposed ? x.rows : x.columns;
  return blas_size(std::max<int64_t>(1, rows > 1 ? x.leading : across));
}

/// BLAS gives its memory back when the program ends, even while other threads compute: they then go
/// on without it.
class BlasAtExit {
 public:
  ~BlasAtExit() {
    ended_ = true;
    while (users_ > 0) std::this_thread::yield();
  }
  bool enter() {
    ++users_;
    if (!ended_) return true;
    --users_;
    return false;
  }
  void leave() { --users_; }

 private:
  std::atomic<int> users_{0};
  std::atomic<bool> ended_{false};
} blas_at_exit;

template <class T>
void multiply_without_blas(const Matrix<const T>& a, const Matrix<const T>& b, T beta,
                           const Matrix<T>& c) {
  auto at = [](const auto& x, int64_t row, int64_t column) -> auto& {
    return x.data[x.transposed ? column * x.leading + row : row * x.leading + column];
  };
  for (int64_t i = 0; i < c.rows; ++i)
    for (int64_t j = 0; j < c.columns; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < a.columns; ++k) sum += double{at(a, i, k)} * double{at(b, k, j)};
      T& result = at(c, i, j);
      result = static_cast<T>(beta == 0 ? sum : sum + double{beta} * double{result});
    }
}

template <class T>
void gemm(const Matrix<const T>& a, const Matrix<const T>& b, T beta, const Matrix<T>& c) {
  const FlushSubnormals flush;
  const int rows = blas_size(c.rows), columns = blas_size(c.columns), inner = blas_size(a.columns),
            a_step = leading(a), b_step = leading(b), c_step = leading(c);
  if (!blas_at_exit.enter()) return multiply_without_blas(a, b, beta, c);
  const auto run = [&](const auto& blas) {
    blas(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
         b.transposed ? CblasTrans : CblasNoTrans, rows, columns, inner, 1, a.data, a_step, b.data,
         b_step, beta, c.data, c_step);
  };
  if constexpr (sizeof(T) == sizeof(float))
    run(cblas_sgemm);
  else
    run(cblas_dgemm);
  blas_at_exit.leave();
}

/// n numbers that lie `step` apart, side by side: in place or in `copy`.
template <class T>
const T* side_by_side(const T* x, int64_t n, int64_t step, std::vector<T>& copy) {
  if (step == 1 || n == 1) return x;
  for (int64_t i = 0; i < n; ++i) copy.push_back(x[i * step]);
  return copy.data();
}

/// While products are made BLAS runs each on one thread: the pool's threads share the work, so that
/// there is one pool and not two that fight for the cores. Then the program's own number is back.
class OneBlasThread {
 public:
  OneBlasThread() {
    static const int with_forks = pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); },
                                                 [] {
                                                   users = 0;  // the child has no other thread
                                                   mutex.unlock();
                                                 });
    (void)with_forks;
    const std::lock_guard lock(mutex);
    if (users++ > 0) return;
    before = openblas_get_num_threads();
    if (before != 1) openblas_set_num_threads(1);
  }
  ~OneBlasThread() {
    const std::lock_guard lock(mutex);
    if (--users == 0 && before != 1) openblas_set_num_threads(before);
  }

 private:
  static inline std::mutex mutex;
  static inline int users = 0, before = 1;
};
/// BLAS itself runs products of no more multiplications on one thread.
constexpr double work_on_one_blas_thread = 1 << 18;

}  // namespace

template <class T>
bool multiply_vector(const Matrix<const T>& a, const Matrix<const T>& b, T beta,
                     const Matrix<T>& c) {
  const auto& kernels = simd::kernels<T>();
  const int64_t n = c.columns, inner = a.columns;
  std::vector<T> copy;
  if (inner == 1) {  // c = a · b row by row
    const T* row = side_by_side(b.data, n, b.transposed ? b.leading : 1, copy);
    for (int64_t i = 0; i < c.rows; ++i) {
      const T scale = a.data[i * (a.transposed ? 1 : a.leading)];
      if (beta == 0)
        kernels.affine(row, scale, 0, c.data + i * c.leading, n);
      else
        kernels.add_scaled(row, scale, c.data + i * c.leading, n);
    }
    return true;
  }
  if (c.rows != 1) return false;
  const T* row = side_by_side(a.data, inner, a.transposed ? a.leading : 1, copy);
  if (b.transposed) {  // each element the product of two rows
    for (int64_t j = 0; j < n; ++j) {
      const T value = kernels.dot(row, b.data + j * b.leading, inner);
      c.data[j] = beta == 0 ? value : c.data[j] + value;
    }
  } else {  // a sum of scaled rows
    if (beta == 0) kernels.affine(b.data, row[0], 0, c.data, n);
    for (int64_t k = beta == 0 ? 1 : 0; k < inner; ++k)
      kernels.add_scaled(b.data + k * b.leading, row[k], c.data, n);
  }
  return true;
}

template <class T>
void multiply(const Matrix<const T>& a, const Matrix<const T>& b, T beta, const Matrix<T>& c) {
  if (c.rows == 0 || c.columns == 0) return;
  if (a.columns == 0) {
    for (int64_t i = 0; beta == 0 && i < c.rows; ++i)
      std::fill_n(c.data + i * c.leading, c.columns, T(0));
    return;
  }
  const double work =
      static_cast<double>(c.rows) * static_cast<double>(c.columns) * static_cast<double>(a.columns);
  if (work <= work_on_one_blas_thread) return gemm(a, b, beta, c);
  const OneBlasThread one;
  const bool by_rows = c.rows >= c.columns;  // cut along the longer side for the threads
  const int64_t length = by_rows ? c.rows : c.columns;
  const double work_per_line = work / static_cast<double>(length);
  const int64_t grain = std::max<int64_t>(16, static_cast<int64_t>(500'000 / work_per_line));
  pool::parallel_for(length, grain, [&](int64_t begin, int64_t end) {
    if (by_rows)
      gemm(a.part(begin, end, true), b, beta, c.part(begin, end, true));
    else
      gemm(a, b.part(begin, end, false), beta, c.part(begin, end, false));
  });
}

template void multiply(const Matrix<const float>&, const Matrix<const float>&, float,
                       const Matrix<float>&);
template void multiply(const Matrix<const double>&, const Matrix<const double>&, double,
                       const Matrix<double>&);
template bool multiply_vector(const Matrix<const float>&, const Matrix<const float>&, float,
                              const Matrix<float>&);
template bool multiply_vector(const Matrix<const double>&, const Matrix<const double>&, double,
                              const Matrix<double>&);

}  // namespace gradus::products
