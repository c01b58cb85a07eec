#include "core/kernels/blas.h"

#include <cblas.h>
#include <dlfcn.h>

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

void* function(const char* name) {
  static void* const library = dlopen("libopenblas.so.0", RTLD_NOW);
  return library ? dlsym(library, name) : nullptr;
}

namespace {

/// The functions that are called here; all are there or none.
struct OpenBLAS {
  decltype(&cblas_sgemm) sgemm;
  decltype(&cblas_dgemm) dgemm;
  decltype(&openblas_get_num_threads) threads;
  decltype(&openblas_set_num_threads) set_threads;

  static const OpenBLAS* loaded() {
    static const OpenBLAS all = [] {
      OpenBLAS blas;
      find(blas.sgemm, "cblas_sgemm");
      find(blas.dgemm, "cblas_dgemm");
      find(blas.threads, "openblas_get_num_threads");
      find(blas.set_threads, "openblas_set_num_threads");
      return blas;
    }();
    return all.sgemm && all.dgemm && all.threads && all.set_threads ? &all : nullptr;
  }

 private:
  template <class Function>
  static void find(Function& result, const char* name) {
    result = reinterpret_cast<Function>(function(name));
  }
};

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
  explicit OneBlasThread(const OpenBLAS& blas) : blas_(blas) {
    const std::lock_guard lock(mutex);
    if (users++ > 0) return;
    before = blas_.threads();
    if (before != 1) blas_.set_threads(1);
  }
  ~OneBlasThread() {
    const std::lock_guard lock(mutex);
    if (--users == 0 && before != 1) blas_.set_threads(before);
  }

 private:
  const OpenBLAS& blas_;
  static inline std::mutex mutex;
  static inline int users = 0, before = 1;
};
/// BLAS itself runs products of no more multiplications on one thread.
constexpr double work_on_one_blas_thread = 1 << 18;

template <class T>
void gemm(const OpenBLAS& blas, const Operand<T>& a, const Operand<T>& b, int64_t inner, T beta,
          const Matrix<T>& c) {
  const FlushSubnormals flush;
  const auto run = [&](const auto& multiply) {
    auto size = [](int64_t n) { return static_cast<int>(n); };
    multiply(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
             b.transposed ? CblasTrans : CblasNoTrans, size(c.rows), size(c.columns), size(inner),
             1, a.data, size(a.leading), b.data, size(b.leading), beta, c.data,
             size(std::max<int64_t>(1, c.rows == 1 ? c.columns : c.row_stride)));
  };
  if constexpr (sizeof(T) == sizeof(float))
    run(blas.sgemm);
  else
    run(blas.dgemm);
}

}  // namespace

template <class T>
bool multiply(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<const T>& start,
              const Matrix<T>& c) {
  const OpenBLAS* const openblas = OpenBLAS::loaded();
  if (!openblas) return false;
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
    gemm(*openblas, left, right, a.columns, beta, c);
  } else {
    const OneBlasThread one(*openblas);
    const bool by_rows = c.rows >= c.columns;  // cut along the longer side for the threads
    const int64_t length = by_rows ? c.rows : c.columns;
    const double work_per_line = work / static_cast<double>(length);
    const int64_t grain = std::max<int64_t>(16, static_cast<int64_t>(500'000 / work_per_line));
    pool::parallel_for(length, grain, [&](int64_t begin, int64_t end) {
      if (by_rows)
        gemm(*openblas, {left.at(begin, 0), left.leading, left.transposed}, right, a.columns, beta,
             c.part(begin, end, 0, c.columns));
      else
        gemm(*openblas, left, {right.at(0, begin), right.leading, right.transposed}, a.columns,
             beta, c.part(0, c.rows, begin, end));
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
