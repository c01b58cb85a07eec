#include "core/kernels/products.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "core/kernels/blas.h"
#include "core/kernels/pool.h"
#include "tests/core/kernels/each_instruction_set.h"

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

using namespace gradus;

namespace {

std::mt19937_64 random_bits(1);

int64_t below(int64_t n) { return static_cast<int64_t>(random_bits() % static_cast<uint64_t>(n)); }

/// Any size from nothing to a few tiles, but mostly small ones.
int64_t some_size() {
  switch (below(8)) {
    case 0:
      return below(2);
    case 1:
      return 40 + below(120);
    case 2:
      return 8 * below(9);
    default:
      return below(20);
  }
}

/// A matrix of some layout: row-major, its transpose, with gaps behind the rows or between all
/// elements, or one row for all.
template <class T>
struct Numbers {
  std::vector<T> values;
  Matrix<T> matrix;

  Numbers(int64_t rows, int64_t columns, int64_t layout) {
    const int64_t gap = layout < 2 ? 0 : 1 + below(5), step = layout == 4 ? 2 : 1;
    const bool transposed = layout == 1 || layout == 3;
    const int64_t lines = transposed ? columns : rows, across = transposed ? rows : columns;
    const int64_t line_step = layout == 5 ? 0 : across * step + gap;
    values.resize(static_cast<size_t>(
        lines * across == 0 ? 0 : (lines - 1) * line_step + (across - 1) * step + 1));
    for (T& value : values) value = static_cast<T>(below(2'000'001) - 1'000'000) / 1'000'000;
    matrix = {values.data(), rows, columns, transposed ? step : line_step,
              transposed ? line_step : step};
  }
  bool is_defined() const { return matrix.rows > 0; }
};

/// start + a · b by the promise: chains of fused multiply-adds along the inner axis.
template <class T>
std::vector<T> by_chains(const Matrix<const T>& a, const Matrix<const T>& b,
                         const Matrix<const T>& start) {
  std::vector<T> result;
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < b.columns; ++j) {
      T sum = start.data ? start.at(i, j) : T(0);
      for (int64_t first = 0; first < a.columns; first += products::chain_length<T>) {
        const int64_t last = std::min(a.columns, first + products::chain_length<T>);
        T chain = first == 0 ? sum : T(0);
        for (int64_t k = first; k < last; ++k) chain = std::fma(a.at(i, k), b.at(k, j), chain);
        sum = first == 0 ? chain : sum + chain;
      }
      result.push_back(sum);
    }
  return result;
}

/// The same in float64 (long double for it), and how far off a product may be: 4 units in the last
/// place, of the largest that its partial sums can get, times the root of how many there are.
template <class T>
bool is_right(T value, const Matrix<const T>& a, const Matrix<const T>& b,
              const Matrix<const T>& start, int64_t i, int64_t j) {
  using Wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;
  Wide sum = start.data ? start.at(i, j) : 0, size = std::abs(sum);
  for (int64_t k = 0; k < a.columns; ++k) {
    const Wide product = Wide{a.at(i, k)} * Wide{b.at(k, j)};
    sum += product;
    size += std::abs(product);
  }
  const Wide unit = std::numeric_limits<T>::epsilon() / 2;
  return std::abs(value - sum) <= 4 * unit * std::sqrt(static_cast<Wide>(a.columns + 1)) * size;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

/// The elements row by row.
template <class T>
std::vector<T> elements(const Matrix<T>& x) {
  std::vector<T> all;
  for (int64_t i = 0; i < x.rows; ++i)
    for (int64_t j = 0; j < x.columns; ++j) all.push_back(x.at(i, j));
  return all;
}

struct Threads {
  explicit Threads(int count) { pool::resize(count); }
  ~Threads() { pool::resize(before); }
  int before = pool::size();
};

/// Kernels with fused multiply-adds; the baseline's round twice.
template <class T>
std::vector<const simd::Products<T>*> fusing() {
  auto all = simd::all_compiled<simd::Products<T>>();
  all.erase(all.begin());
  return all;
}

}  // namespace

TEST_CASE_TEMPLATE("a product of any sizes and strides has the bits of its chains", T, float,
                   double) {
  const auto all = simd::all_compiled<simd::Products<T>>();
  const Threads one(1);
  for (int round = 0; round < 1500; ++round) {
    int64_t rows = some_size(), inner = some_size(), columns = some_size();
    if (round % 50 == 0) (below(2) ? rows : columns) = 3000 + below(100);
    if (round % 50 == 1) inner = 3000 + below(100);
    if (rows * inner * columns > 300'000) inner = 1 + below(5);
    const Numbers<T> a(rows, inner, below(6)), b(inner, columns, below(6)),
        start(rows, columns, below(6));
    const int64_t kind = below(3);  // of start: none, a matrix, or the result itself
    const auto& kernels = *all[static_cast<size_t>(round) % all.size()];
    const bool packed = below(2) == 0;
    Numbers<T> c(rows, columns, 2 * below(2));
    const Numbers<T> before = c;
    const Matrix<const T> result = c.matrix, first = kind == 0   ? Matrix<const T>()
                                                     : kind == 1 ? Matrix<const T>(start.matrix)
                                                                 : result;
    std::vector<T> wanted;
    {
      Matrix<const T> unchanged = first;
      if (kind == 2) unchanged.data = before.values.data();
      wanted = by_chains<T>(a.matrix, b.matrix, unchanged);
      if (kind == 0)  // c is not read
        for (T& value : c.values) value = std::numeric_limits<T>::quiet_NaN();
      if (packed)
        PackedMatrix<T>(&kernels, b.matrix).multiply(a.matrix, first, c.matrix);
      else
        products::multiply<T>(kernels, a.matrix, b.matrix, first, c.matrix);
      CAPTURE(rows);
      CAPTURE(inner);
      CAPTURE(columns);
      CAPTURE(kind);
      CAPTURE(packed);
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j)
          if (!is_right<T>(c.matrix.at(i, j), a.matrix, b.matrix, unchanged, i, j))
            FAIL("not right at ", i, ", ", j, ": ", c.matrix.at(i, j));
    }
    const auto got = elements(c.matrix);
    if (&kernels != all[0]) REQUIRE(same_bits(got, wanted));
    // Nothing is written between the rows.
    for (size_t at = 0; kind != 0 && at < c.values.size(); ++at) {
      const auto column = static_cast<int64_t>(at) % c.matrix.row_stride;
      if (column >= columns) REQUIRE(c.values[at] == before.values[at]);
    }
  }
}

TEST_CASE_TEMPLATE(
    "a product has the same bits on any threads, alone or in company, packed or not, by AVX2 and "
    "by "
    "AVX-512",
    T, float, double) {
  for (const int64_t rows : {1, 5, 33, 131})
    for (const int64_t columns : {1, 3, 65, 300})
      for (const int64_t layout : {0, 1, 4}) {
        const int64_t inner = 701;
        const Numbers<T> a(rows, inner, layout), b(inner, columns, layout), start(1, columns, 0);
        const Matrix<const T> row{start.values.data(), rows, columns, 0};
        const std::vector<T> wanted = by_chains<T>(a.matrix, b.matrix, row);
        for (const int threads : {1, 2, 3, 7}) {
          const Threads some(threads);
          for (const auto* kernels : fusing<T>()) {
            std::vector<T> result(static_cast<size_t>(rows * columns));
            const Matrix<T> c{result.data(), rows, columns, columns};
            products::multiply<T>(*kernels, a.matrix, b.matrix, row, c);
            REQUIRE(same_bits(result, wanted));
            const PackedMatrix<T> packed(kernels, b.matrix);
            packed.multiply(a.matrix, row, c);
            REQUIRE(same_bits(result, wanted));
            // Row by row and strip by strip.
            const int64_t i = rows / 2, j = columns / 3;
            products::multiply<T>(*kernels, a.matrix.part(i, i + 1, 0, inner),
                                  b.matrix.part(0, inner, j, columns),
                                  row.part(i, i + 1, j, columns), c.part(i, i + 1, j, columns));
            packed.multiply(a.matrix.part(0, 1, 0, inner), row.part(0, 1, 0, columns),
                            c.part(0, 1, 0, columns));
            REQUIRE(same_bits(result, wanted));
          }
        }
      }
}

TEST_CASE("of an inner axis of no elements a product is its start, or zero") {
  for (const auto* kernels : simd::all_compiled<simd::Products<float>>())
    for (const int64_t rows : {0, 1, 3})
      for (const int64_t columns : {0, 1, 40}) {
        const Numbers<float> a(rows, 0, 0), b(0, columns, 0), start(rows, columns, 0);
        Numbers<float> c(rows, columns, 0);
        products::multiply<float>(*kernels, a.matrix, b.matrix, start.matrix, c.matrix);
        CHECK(c.values == start.values);
        PackedMatrix<float>(kernels, b.matrix).multiply(a.matrix, {}, c.matrix);
        CHECK(c.values == std::vector<float>(start.values.size(), 0));
      }
}

TEST_CASE("strides of more than 2³¹ elements work, with OpenBLAS as without") {
  constexpr int64_t far = (int64_t{1} << 31) + 3;
  constexpr size_t bytes = sizeof(float) * static_cast<size_t>(far + 2);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    MESSAGE("skipped: no address space of 8 GiB");
    return;
  }
  float* x = static_cast<float*>(memory);
  x[0] = 1, x[1] = 2, x[far] = 3, x[far + 1] = 4;
  const Matrix<const float> wide{x, 2, 2, far};
  const bool before = products::uses_openblas();
  for (const bool openblas : {false, true}) {
    products::use_openblas(openblas);
    for (const bool of_left : {false, true})
      for (const bool of_right : {false, true}) {
        float c[4];
        products::multiply<float>(of_left ? wide.transposed() : wide,
                                  of_right ? wide.transposed() : wide, {}, {c, 2, 2, 2});
        const float l[] = {1, of_left ? 3.f : 2.f, of_left ? 2.f : 3.f, 4},
                    r[] = {1, of_right ? 3.f : 2.f, of_right ? 2.f : 3.f, 4};
        for (int i = 0; i < 2; ++i)
          for (int j = 0; j < 2; ++j)
            CHECK(c[2 * i + j] == l[2 * i] * r[j] + l[2 * i + 1] * r[2 + j]);
      }
  }
  products::use_openblas(before);
  munmap(memory, bytes);
}

TEST_CASE("numbers below 2⁻¹²⁶ count as zero in products of every form") {
  const float tiny = std::ldexp(1.f, -130);
  for (const auto* kernels : simd::all_compiled<simd::Products<float>>())
    for (const int64_t rows : {1, 2, 20})
      for (const int64_t columns : {1, 2, 20, 70}) {
        const std::vector<float> a(static_cast<size_t>(rows * 3), tiny),
            b(static_cast<size_t>(3 * columns), 1024);
        std::vector<float> c(static_cast<size_t>(rows * columns), 7);
        const Matrix<const float> left{a.data(), rows, 3, 3}, right{b.data(), 3, columns, columns};
        products::multiply<float>(*kernels, left, right, {}, {c.data(), rows, columns, columns});
        CHECK(c == std::vector<float>(c.size(), 0));
      }
}

TEST_CASE_TEMPLATE("OpenBLAS computes the same products, up to rounding", T, float, double) {
  const bool before = products::uses_openblas();
  products::use_openblas(true);
  for (int round = 0; round < 300; ++round) {
    const int64_t rows = some_size(), inner = some_size(), columns = some_size();
    const Numbers<T> a(rows, inner, below(6)), b(inner, columns, below(6)),
        start(rows, columns, below(6));
    Numbers<T> c(rows, columns, 2 * below(2));
    if (below(2) == 0)
      PackedMatrix<T>(b.matrix).multiply(a.matrix, start.matrix, c.matrix);
    else
      products::multiply<T>(a.matrix, b.matrix, start.matrix, c.matrix);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        REQUIRE(is_right<T>(c.matrix.at(i, j), a.matrix, b.matrix, start.matrix, i, j));
  }
  products::use_openblas(before);
}

TEST_CASE("a product leaves the program's BLAS threads and floating-point mode as they are") {
  const auto blas_threads = reinterpret_cast<int (*)()>(blas::function("openblas_get_num_threads"));
  const auto set_blas_threads =
      reinterpret_cast<void (*)(int)>(blas::function("openblas_set_num_threads"));
  const int threads = blas_threads();
  set_blas_threads(2);
  const Numbers<float> a(200, 100, 0), b(100, 150, 0);
  Numbers<float> c(200, 150, 0);
  const bool before = products::uses_openblas();
  for (const bool openblas : {false, true}) {
    products::use_openblas(openblas);
#ifdef __SSE2__
    const unsigned mode = _mm_getcsr();
#endif
    products::multiply<float>(a.matrix, b.matrix, {}, c.matrix);
    CHECK(blas_threads() == 2);
#ifdef __SSE2__
    CHECK(_mm_getcsr() == mode);
#endif
  }
  products::use_openblas(before);
  set_blas_threads(threads);
}
