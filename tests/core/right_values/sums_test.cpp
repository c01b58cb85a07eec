/// A sum is as accurate over any axis, set of axes and strides, and by any op that sums: as a
/// blocked one, whose error grows with the number of blocks, not of elements.

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "core/core.h"
#include "core/kernels/simd.h"
#include "core/tensor/random.h"
#include "core/tensor/threads.h"
#include "layers/embedding.h"
#include "tests/core/helpers.h"
#include "tests/core/kernels/each_instruction_set.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

using Values = std::vector<double>;
/// Between additions of float64 there are at most 64 of float32, each of which errs by 2⁻²⁴.
constexpr double blocked = 0x1p-18;
constexpr int64_t million = 1'000'000, many = int64_t{1} << 25;

void all_are(const Tensor& x, double expected, double tolerance) {
  for (const double value : values(x)) CHECK(value == doctest::Approx(expected).epsilon(tolerance));
}

}  // namespace

TEST_CASE("means and sums of millions over the first, the middle and the last axis") {
  CHECK(values(mean(ones({many, 2}), {0})) == Values{1, 1});
  const double tenth = 0.1F;
  for (const Shape& shape : {Shape{million, 2}, Shape{million}, Shape{1, million, 3}})
    all_are(sum(full(shape, 0.1), {shape.rank() == 3 ? 1 : 0}), million * tenth, blocked);
  all_are(sum(full({2, million}, 0.1), {1}), million * tenth, blocked);
  all_are(sum(full({1000, 3, 1000}, 0.1), {0, 2}), million * tenth, blocked);
  all_are(sum(full({100, 100, 100}, 0.1)), million * tenth, blocked);
  all_are(sum(full({million, 2}, 0.1, DType::float64), {0}), million * 0.1, 1e-13);
  all_are(sum(transpose(full({2, million}, 0.1)), {0}), million * tenth, blocked);
  all_are(sum(slice(full({2 * million, 2}, 0.1), 0, 0, 2 * million, 2), {0}), million * tenth,
          blocked);
  all_are(sum(expand(full({1, 2}, 0.1), {million, 2}), {0}), million * tenth, blocked);
}

TEST_CASE("var over the first axis of a million rows that alternate between 999 and 1001") {
  Tensor rows = full({million, 2}, 999);
  slice(rows, 0, 1, million, 2).assign(full({million / 2, 2}, 1001));
  all_are(var(rows, {0}, false, 0), 1, 1e-6);
  all_are(stddev(transpose(rows), {1}, false, 0), 1, 1e-6);
}

TEST_CASE("the gradient of a bias that was broadcast over millions of rows") {
  const Tensor bias = zeros({1}).require_grad();
  sum(expand(zeros({1}), {many}) + bias).backward();
  CHECK(bias.grad().item() == many);
  const Tensor row = zeros({3}).require_grad();
  all_are(grad({zeros({million, 3}) + row}, {row}, {}, {full({million, 3}, 0.1)})[0],
          million * static_cast<double>(0.1F), blocked);
}

TEST_CASE("rows that meet in one place: scatter_add, gather's and an embedding's gradient") {
  const double expected = million * static_cast<double>(0.1F);
  const Tensor ids = zeros({million}, DType::int64);
  all_are(scatter_add(1, ids, full({million}, 0.1)), expected, blocked);
  all_are(scatter_add(1, ids, full({million, 3}, 0.1)), expected, blocked);
  const Tensor table = zeros({2, 3}).require_grad();
  all_are(grad({gather(table, ids)}, {table}, {}, {full({million, 3}, 0.1)})[0][0], expected,
          blocked);
  gather(table, ids).backward(full({million, 3}, 0.1));
  all_are(table.grad()[0], expected, blocked);
  CHECK(values(table.grad()[1]) == Values(3, 0));
  const Tensor x = zeros({1, 2}).require_grad();
  const Tensor taken = take_along_axis(x, zeros({1, million}, DType::int64), 1);
  all_are(grad({taken}, {x}, {}, {full({1, million}, 0.1)})[0][0][0], expected, blocked);
}

TEST_CASE("running sums of millions") {
  const Tensor sums = cumsum(full({million}, 0.1), 0);
  CHECK(sums[million - 1].item() ==
        doctest::Approx(million * static_cast<double>(0.1F)).epsilon(blocked));
  const Tensor precise = cumsum(full({million}, 0.1, DType::float64), 0);
  CHECK(precise[million - 1].item() == doctest::Approx(million * 0.1).epsilon(1e-15));
}

TEST_CASE("sums over every axis agree with naive ones of float64, for every kind of shape") {
  Generator generator(3);
  for (const Shape& shape :
       {Shape{1, 1, 1}, Shape{2, 3, 4}, Shape{65, 7, 1}, Shape{7, 65, 3}, Shape{3, 200, 129},
        Shape{300, 1, 1030}, Shape{5, 64, 2100}, Shape{1000, 3, 5}, Shape{0, 3, 2}, Shape{3, 0, 2},
        Shape{3, 2, 0}, Shape{2, 9000, 3}})
    for (int axis = 0; axis < 3; ++axis) {
      INFO(shape.text(), " ", axis);
      const Tensor x = random_normal(shape, 1, 1, generator);
      const Tensor y = sum(x, {axis});
      CHECK(y.shape() == shape.without(axis));
      std::vector<double> totals(static_cast<size_t>(y.numel())), sizes = totals;
      const Values all = values(x);
      for (size_t i = 0; i < all.size(); ++i) {
        Shape index = index_of(shape, static_cast<int64_t>(i));
        int64_t at = 0;
        for (int k = 0; k < 3; ++k)
          if (k != axis) at = at * shape[k] + index[k];
        totals[static_cast<size_t>(at)] += all[i];
        sizes[static_cast<size_t>(at)] += std::abs(all[i]);
      }
      const Values given = values(y);
      for (size_t i = 0; i < given.size(); ++i)
        REQUIRE(std::abs(given[i] - totals[i]) <= blocked * sizes[i]);
    }
}

TEST_CASE("a sum has the same bits for any number of threads") {
  Generator generator(4);
  const Tensor x = random_normal({3, 5000, 70}, 0, 1, generator);
  const int before = threads();
  for (int axis = 0; axis < 3; ++axis) {
    set_threads(1);
    const Values alone = values(sum(x, {axis}));
    for (const int n : {2, 3}) {
      set_threads(n);
      CHECK(values(sum(x, {axis})) == alone);
    }
  }
  set_threads(before);
}

TEST_CASE("reductions and functions have the same bits on AVX2 and AVX-512") {
  const auto tables = simd::all_compiled<simd::Kernels<float>>();
  const auto wide_tables = simd::all_compiled<simd::Kernels<double>>();
  if (tables.size() < 3) {
    MESSAGE("skipped: this processor has no AVX-512");
    return;
  }
  Generator generator(5);
  auto compare = [&](const auto& a, const auto& b, const auto& x, const auto& y) {
    using T = std::decay_t<decltype(x[0])>;
    const auto n = static_cast<int64_t>(x.size());
    CHECK(a.sum(x.data(), n) == b.sum(x.data(), n));
    CHECK(a.dot(x.data(), y.data(), n) == b.dot(x.data(), y.data(), n));
    CHECK(a.max(x.data(), n) == b.max(x.data(), n));
    std::vector<T> left(x.size()), right(x.size());
    T sums[2], squares[2];
    a.centre(x.data(), T(0.3), left.data(), n, &sums[0], &squares[0]);
    b.centre(x.data(), T(0.3), right.data(), n, &sums[1], &squares[1]);
    CHECK((left == right && sums[0] == sums[1] && squares[0] == squares[1]));
    std::vector<double> totals(7), others(7);
    a.add_rows(x.data(), 7, n / 7, 7, totals.data());
    b.add_rows(x.data(), 7, n / 7, 7, others.data());
    CHECK(totals == others);
    for (int f = 0; f < simd::Functions::size; ++f) {
      a.functions[f](x.data(), y.data(), x.data(), left.data(), n);
      b.functions[f](x.data(), y.data(), x.data(), right.data(), n);
      bool same = true;
      for (size_t i = 0; i < left.size(); ++i)
        same = same && (left[i] == right[i] || (left[i] != left[i] && right[i] != right[i]));
      CHECK_MESSAGE(same, "function ", f);
    }
  };
  for (const int64_t n : {1, 7, 16, 33, 64, 65, 1000, 10007}) {
    INFO(n);
    const Tensor x = random_normal({n}, 0, 5, generator, DType::float64),
                 y = random_normal({n}, 0, 5, generator, DType::float64);
    compare(*tables[1], *tables[2], x.to_vector<float>(), y.to_vector<float>());
    compare(*wide_tables[1], *wide_tables[2], x.to_vector<double>(), y.to_vector<double>());
  }
}
