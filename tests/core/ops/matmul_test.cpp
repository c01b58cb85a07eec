#include "core/ops/matmul.h"

#include <doctest/doctest.h>

#include "core/functions/index.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/processor.h"
#include "core/tensor/random.h"
#include "core/tensor/threads.h"

using namespace gradus;

namespace {

std::vector<float> values(const Tensor& x) { return contiguous(x.detach()).to_vector<float>(); }

}  // namespace

TEST_CASE("products over nothing are zero, and of nothing are nothing") {
  for (const Shape& batches : {Shape{}, Shape{1}, Shape{5}, Shape{2, 3}})
    for (const int64_t rows : {0, 1, 4})
      for (const int64_t columns : {0, 1, 4}) {
        Shape a = batches, b = batches;
        a.append(rows), a.append(0);
        b.append(0), b.append(columns);
        ones({1000}) * 3;  // leaves something in the memory that results take
        const Tensor c = matmul(zeros(a), zeros(b));
        CHECK(c.numel() == batches.numel() * rows * columns);
        CHECK(values(c) == std::vector<float>(static_cast<size_t>(c.numel()), 0));
      }
  const Tensor x = zeros({3, 0}), weight = zeros({4, 0}), b = arange(4);
  CHECK(values(linear(x, weight, b)) == values(expand(b, {3, 4})));
}

TEST_CASE("a batch of products has the bits of each alone, whatever its strides and the threads") {
  if (!reproducible()) {
    MESSAGE("skipped: these kernels promise no bits");
    return;
  }
  Generator generator(1);
  const int before = threads();
  for (const int64_t rows : {1, 9, 40})
    for (const int64_t columns : {1, 10, 70}) {
      const int64_t inner = 33;
      const Tensor a = random_normal({3, inner, rows, 2}, 0, 1, generator),
                   b = random_normal({columns, 3, 1, inner}, 0, 1, generator);
      const Tensor x = permute(a, {0, 3, 2, 1}), y = permute(b, {1, 2, 3, 0});  // of any strides
      std::vector<float> one_by_one;
      for (int64_t i = 0; i < 3; ++i)
        for (int64_t k = 0; k < 2; ++k)
          for (int64_t row = 0; row < rows; ++row) {
            const Tensor left = contiguous(slice(x[i][k], 0, row, row + 1));
            for (const float value : values(matmul(left, contiguous(y[i][0]))))
              one_by_one.push_back(value);
          }
      for (const int count : {1, 2, 3, 7}) {
        set_threads(count);
        CHECK(values(matmul(x, y)) == one_by_one);
      }
    }
  set_threads(before);
}

TEST_CASE("linear has the same bits for a parameter, which is packed, as for any other weight") {
  if (!reproducible()) {
    MESSAGE("skipped: these kernels promise no bits");
    return;
  }
  Generator generator(2);
  const Tensor constant = random_normal({90, 70}, 0, 1, generator),
               b = random_normal({90}, 0, 1, generator);
  const Tensor parameter = clone(constant).require_grad();
  const Tensor x = random_normal({300, 70}, 0, 1, generator);
  const std::vector<float> all = values(linear(x, constant, b));
  for (const int64_t rows : {1, 20, 128, 300}) {
    const auto part = static_cast<std::ptrdiff_t>(rows * 90);
    const std::vector<float> wanted(all.begin(), all.begin() + part);
    CHECK(values(linear(slice(x, 0, 0, rows), parameter, b)) == wanted);
    CHECK(values(linear(slice(x, 0, 0, rows), constant, b)) == wanted);
  }
}
