#include "core/kernels/products.h"

#include <doctest/doctest.h>

#include <limits>
#include <stdexcept>
#include <vector>

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

using namespace gradus;

extern "C" int openblas_get_num_threads();
extern "C" void openblas_set_num_threads(int);

namespace {

template <class T>
struct Numbers {
  std::vector<T> values;
  Matrix<T> matrix;

  Numbers(int64_t rows, int64_t columns, bool transposed = false)
      : values(static_cast<size_t>(rows * columns)) {
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<T>(static_cast<double>((i * 37) % 23) / 8 - 1);
    matrix = {values.data(), rows, columns, transposed ? rows : columns, transposed};
  }
  T at(int64_t i, int64_t j) const {
    return matrix.data[matrix.transposed ? j * matrix.leading + i : i * matrix.leading + j];
  }
};

}  // namespace

TEST_CASE_TEMPLATE("products are what the definition says, for rows, columns and matrices", T,
                   float, double) {
  for (const int64_t rows : {1, 3, 90})
    for (const int64_t inner : {0, 1, 5, 70})
      for (const int64_t columns : {1, 4, 80})
        for (const bool of_a : {false, true})
          for (const bool of_b : {false, true})
            for (const T beta : {T(0), T(1)})
              for (const bool by_blas : {true, false}) {
                const Numbers<T> a(rows, inner, of_a), b(inner, columns, of_b);
                Numbers<T> c(rows, columns);
                const Numbers<T> before = c;
                if (beta == 0)  // is not read
                  for (T& value : c.values) value = std::numeric_limits<T>::quiet_NaN();
                if (by_blas)
                  products::multiply<T>(a.matrix, b.matrix, beta, c.matrix);
                else if (inner == 0 ||
                         !products::multiply_vector<T>(a.matrix, b.matrix, beta, c.matrix))
                  continue;
                for (int64_t i = 0; i < rows; ++i)
                  for (int64_t j = 0; j < columns; ++j) {
                    double expected = beta * before.values[static_cast<size_t>(i * columns + j)];
                    for (int64_t k = 0; k < inner; ++k)
                      expected += static_cast<double>(a.at(i, k)) * b.at(k, j);
                    REQUIRE(c.at(i, j) == doctest::Approx(expected).epsilon(1e-4).scale(1));
                  }
              }
}

TEST_CASE("sizes and strides that BLAS cannot take are refused, not cut") {
  constexpr int64_t large = (int64_t{1} << 31) + 3;
  std::vector<float> few(16);
  float* x = few.data();
  auto message = [](const Matrix<const float>& a, const Matrix<const float>& b,
                    const Matrix<float>& c) -> std::string {
    try {
      products::multiply<float>(a, b, 0, c);
    } catch (const std::length_error& error) {
      return error.what();
    }
    return "no error";
  };
  const std::string expected =
      "a size or stride of 2147483651 is beyond 2147483647, the largest that BLAS takes";
  CHECK(message({x, 2, 2, large}, {x, 2, 2, 2}, {x, 2, 2, 2}) == expected);
  CHECK(message({x, 2, 2, 2}, {x, 2, 2, large, true}, {x, 2, 2, 2}) == expected);
  CHECK(message({x, 2, 2, 2}, {x, 2, 2, 2}, {x, 2, 2, large}) == expected);
  CHECK(message({x, 2, large, large}, {x, large, 2, 2}, {x, 2, 2, 2}) == expected);
  CHECK(message({x, 1, 2, large}, {x, 2, 2, 2}, {x, 1, 2, large}) == "no error");
}

TEST_CASE("a product leaves the program's BLAS threads and floating-point mode as they are") {
  const int before = openblas_get_num_threads();
  openblas_set_num_threads(2);
  const Numbers<float> a(200, 100), b(100, 150);
  Numbers<float> c(200, 150);
#ifdef __SSE2__
  const unsigned mode = _mm_getcsr();
#endif
  products::multiply<float>(a.matrix, b.matrix, 0, c.matrix);
  CHECK(openblas_get_num_threads() == 2);
#ifdef __SSE2__
  CHECK(_mm_getcsr() == mode);
#endif
  openblas_set_num_threads(before);
}
