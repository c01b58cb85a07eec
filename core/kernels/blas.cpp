#include "core/kernels/blas.h"

#include <cblas.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>

#include "core/kernels/buffer.h"
#include "core/kernels/flush_subnormals.h"
#include "core/kernels/pool.h"

namespace gradus::blas {

namespace {

/// A matrix as BLAS takes it: row-major with `leading` elements from row to row, or the transpose
/// of such a matrix.
template <class T>
struct Operand {
  const T* data = nullptr;
  int64_t leading = 0;
  bool transposed = false;

  const T* at(int64_t row, int64_t column) const {
    return data + (transposed ? column * leading + row : row * leading + column);
  }
};

/// The matrix where it is if BLAS can take it, otherwise a copy in `room`.
template <class T>
Operand<T> operand(const Matrix<const T>& x, std::optional<Buffer<T>>& room) {
  auto fits = [](const Matrix<const T>& m) {
    return (m.column_stride == 1 || m.columns == 1) &&
           (m.rows == 1 || m.row_stride >= std::max<int64_t>(1, m.columns));
  };
  auto leading = [](const Matrix<const T>& m) {
    return std::max<int64_t>(1, m.rows == 1 ? m.columns : m.row_stride);
  };
  if (fits(x)) return {x.data, leading(x), false};
  if (fits(x.transposed())) return {x.data, leading(x.transposed()), true};
  const Matrix<T> whole{room.emplace(x.rows * x.columns).data(), x.rows, x.columns, x.columns};
  copy(x, whole);
  return {whole.data, whole.row_stride, false};
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

/// While products are made BLAS runs each on one thread: the pool's threads share the work, so that
/// there is one pool and not two that fight for the cores. Then the program's own number is back.
class OneBlasThread {
 public:
  OneBlasThread() {
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

template <class T>
void gemm(const Operand<T>& a, const Operand<T>& b, int64_t inner, T beta, const Matrix<T>& c) {
  const FlushSubnormals flush;
  const auto run = [&](const auto& blas) {
    auto size = [](int64_t n) { return static_cast<int>(n); };
    blas(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
         b.transposed ? CblasTrans : CblasNoTrans, size(c.rows), size(c.columns), size(inner), 1,
         a.data, size(a.leading), b.data, size(b.leading), beta, c.data,
         size(std::max<int64_t>(1, c.rows == 1 ? c.columns : c.row_stride)));
  };
  if constexpr (sizeof(T) == sizeof(float))
    run(cblas_sgemm);
  else
    run(cblas_dgemm);
}

}  // namespace

template <class T>
bool multiply(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<const T>& start,
              const Matrix<T>& c) {
  if (c.rows == 0 || c.columns == 0) return true;
  for (const Matrix<const T>& x : {a, b, Matrix<const T>(c)})
    if (std::max({x.rows, x.columns, x.row_stride, x.column_stride}) >
        std::numeric_limits<int>::max())
      return false;
  if (start.data != c.data && (start.data || a.columns == 0)) copy(start, c);
  if (a.columns == 0) return true;
  if (!blas_at_exit.enter()) return false;
  std::optional<Buffer<T>> room[2];
  const Operand<T> left = operand(a, room[0]), right = operand(b, room[1]);
  const T beta = start.data ? 1 : 0;
  const double work =
      static_cast<double>(c.rows) * static_cast<double>(c.columns) * static_cast<double>(a.columns);
  if (work <= work_on_one_blas_thread) {
    gemm(left, right, a.columns, beta, c);
  } else {
    const OneBlasThread one;
    const bool by_rows = c.rows >= c.columns;  // cut along the longer side for the threads
    const int64_t length = by_rows ? c.rows : c.columns;
    const double work_per_line = work / static_cast<double>(length);
    const int64_t grain = std::max<int64_t>(16, static_cast<int64_t>(500'000 / work_per_line));
    pool::parallel_for(length, grain, [&](int64_t begin, int64_t end) {
      if (by_rows)
        gemm({left.at(begin, 0), left.leading, left.transposed}, right, a.columns, beta,
             c.part(begin, end, 0, c.columns));
      else
        gemm(left, {right.at(0, begin), right.leading, right.transposed}, a.columns, beta,
             c.part(0, c.rows, begin, end));
    });
  }
  blas_at_exit.leave();
  return true;
}

template bool multiply(const Matrix<const float>&, const Matrix<const float>&,
                       const Matrix<const float>&, const Matrix<float>&);
template bool multiply(const Matrix<const double>&, const Matrix<const double>&,
                       const Matrix<const double>&, const Matrix<double>&);

}  // namespace gradus::blas
