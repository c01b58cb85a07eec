#include "core/kernels/packed_matrix.h"

#include <doctest/doctest.h>

#include "core/autograd/autograd.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/random.h"
#include "core/tensor/threads.h"

using namespace gradus;

namespace {

Tensor normal(const Shape& shape, DType dtype, Generator& generator) {
  return cast(random_normal(shape, 0, 1, generator), dtype);
}

template <class T>
Matrix<const T> matrix(const Tensor& x, bool transposed = false) {
  const int64_t rows = x.shape()[0], columns = x.shape()[1];
  return {x.data<T>(), transposed ? columns : rows, transposed ? rows : columns, columns,
          transposed};
}

template <class T>
Matrix<T> writable(Tensor x) {
  return {x.mutable_data<T>(), x.shape()[0], x.shape()[1], x.shape()[1]};
}

/// start + a · b by its definition, in float64.
Tensor by_definition(const Tensor& a, const Tensor& b, const Tensor& start) {
  const auto x = cast(a, DType::float64), y = cast(b, DType::float64);
  const int64_t rows = a.size(0), inner = a.size(1), columns = b.size(1);
  Tensor result = contiguous(cast(start, DType::float64) + zeros({rows, columns}, DType::float64));
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      for (int64_t k = 0; k < inner; ++k)
        result.mutable_data<double>()[i * columns + j] +=
            contiguous(x).data<double>()[i * inner + k] *
            contiguous(y).data<double>()[k * columns + j];
  return result;
}

}  // namespace

TEST_CASE_TEMPLATE("panels multiply as the definition does, whatever the sizes and layouts", T,
                   float, double) {
  Generator generator(1);
  const DType dtype = dtype_of<T>();
  const double tolerance = dtype == DType::float32 ? 1e-5 : 1e-13;
  for (const int64_t rows : {1, 3, 6, 13, 14, 15, 64, 131})
    for (const int64_t inner : {1, 5, 37})
      for (const int64_t columns : {1, 8, 31, 32, 33, 70}) {
        const Tensor a = normal({rows, inner}, dtype, generator);
        const Tensor b = normal({inner, columns}, dtype, generator);
        const Tensor start = normal({rows, columns}, dtype, generator);
        const Tensor row = normal({columns}, dtype, generator);
        const Tensor at = contiguous(transpose(a)), bt = contiguous(transpose(b));
        const Tensor c = Tensor::uninitialised({rows, columns}, dtype);
        auto is = [&](const Tensor& wanted) {
          return max(abs(cast(c, DType::float64) - wanted)).item() <
                 tolerance * static_cast<double>(inner);
        };
        CAPTURE(rows);
        CAPTURE(inner);
        CAPTURE(columns);
        const PackedMatrix<T> panels(matrix<T>(b)), transposed(matrix<T>(bt, true));
        panels.multiply(matrix<T>(a), matrix<T>(start), writable<T>(c));
        CHECK(is(by_definition(a, b, start)));
        transposed.multiply(matrix<T>(at, true), {}, writable<T>(c));
        CHECK(is(by_definition(a, b, zeros_like(start))));
        panels.multiply(matrix<T>(a), {row.data<T>(), rows, columns, 0}, writable<T>(c));
        CHECK(is(by_definition(a, b, row)));
        panels.multiply(matrix<T>(a), matrix<T>(c), writable<T>(c));
        CHECK(is(by_definition(a, b, by_definition(a, b, row))));
      }
}

TEST_CASE("a row of a product by panels has its bits whatever stands beside it, on any threads") {
  Generator generator(2);
  const Tensor a = random_normal({100, 300}, 0, 1, generator);
  const Tensor b = random_normal({300, 500}, 0, 1, generator);
  const PackedMatrix<float> panels(matrix<float>(b));
  auto product = [&](int64_t rows) {
    const Tensor part = slice(a, 0, 0, rows),
                 c = Tensor::uninitialised({rows, 500}, DType::float32);
    panels.multiply(matrix<float>(part), {}, writable<float>(c));
    return c.to_vector<float>();
  };
  const int before = threads();
  set_threads(1);
  const auto all = product(100);
  for (const int64_t rows : {1, 7, 14, 33}) {
    const auto few = product(rows);
    CHECK(std::equal(few.begin(), few.end(), all.begin()));
  }
  set_threads(3);
  CHECK(product(100) == all);
  set_threads(before);
}
