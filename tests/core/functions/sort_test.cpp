#include <doctest/doctest.h>

#include <cmath>

#include "core/core.h"
#include "core/tensor/random.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

namespace {
using Values = std::vector<double>;
}

TEST_CASE("equal elements keep their order, ascending and descending") {
  const Tensor x = tensor({2, 1, 2, 1, -0.0, 0.0});
  CHECK(values(argsort(x)) == Values{4, 5, 1, 3, 0, 2});
  CHECK(values(argsort(x, 0, true)) == Values{0, 2, 1, 3, 4, 5});
}

TEST_CASE("NaN counts as larger than every number") {
  const Tensor x = tensor({1, NAN, -INFINITY, INFINITY, NAN});
  CHECK(values(argsort(x)) == Values{2, 0, 3, 1, 4});
  CHECK(values(argsort(x, -1, true)) == Values{1, 4, 3, 0, 2});
  CHECK(values(topk(x, 3).indices) == Values{1, 4, 3});
  CHECK(values(topk(x, 2, -1, false).values) == Values{-INFINITY, 1});
}

TEST_CASE("every axis is sorted on its own, also of strided views and integers") {
  const Tensor x = tensor({{3, 1, 2}, {0, 5, 4}});
  CHECK(values(sort(x).values) == Values{1, 2, 3, 0, 4, 5});
  CHECK(values(sort(x, 0).values) == Values{0, 1, 2, 3, 5, 4});
  CHECK(values(sort(transpose(x), 0).values) == Values{1, 0, 2, 4, 3, 5});
  CHECK(values(sort(x, 1, true).indices) == Values{0, 2, 1, 1, 2, 0});
  const Tensor n = tensor(std::vector<int64_t>{INT64_MAX, INT64_MAX - 1, INT64_MIN}, {3});
  CHECK(sort(n).values.to_vector<int64_t>() ==
        std::vector<int64_t>{INT64_MIN, INT64_MAX - 1, INT64_MAX});
}

TEST_CASE("topk gives what sort begins with, for every k") {
  Generator generator(1);
  const Tensor x = random_uniform({4, 17, 3}, 0, 1, generator);
  for (int64_t k = 0; k <= 17; ++k) {
    CHECK(values(topk(x, k, 1).values) == values(slice(sort(x, 1, true).values, 1, 0, k)));
    CHECK(values(topk(x, k, 1, false).indices) == values(slice(argsort(x, 1), 1, 0, k)));
  }
}

TEST_CASE("axes of size 0 and 1 are sorted") {
  CHECK(sort(zeros({2, 0})).values.shape() == Shape{2, 0});
  CHECK(argsort(zeros({0, 2})).shape() == Shape{0, 2});
  CHECK(values(argsort(tensor({{5}, {4}}))) == Values{0, 0});
  CHECK(topk(zeros({3, 2}), 0).values.shape() == Shape{3, 0});
}

TEST_CASE("argmax and argmin give the first of equal elements, and the first NaN") {
  CHECK(argmax(tensor({1, 3, 3, 2}), 0).item() == 1);
  CHECK(argmin(tensor({1, 3, 1, 2}), 0).item() == 0);
  CHECK(argmax(tensor({3, NAN, 1, 5, NAN}), 0).item() == 1);
  CHECK(argmin(tensor({3, 1, NAN, -INFINITY}), 0).item() == 2);
  CHECK(values(argmin(tensor({{1, 2}, {0, 3}}), 0)) == Values{1, 0});
  CHECK(argmax(tensor(std::vector<int64_t>{INT64_MAX - 1, INT64_MAX}, {2}), 0).item() == 1);
}

TEST_CASE("errors of sorting name the axis and the tensor") {
  const Tensor x = zeros({2, 3});
  CHECK(error_of([&] { topk(x, 4); }) == "topk: expected k in [0, 3] for axis 1 of (2, 3), got 4");
  CHECK(error_of([&] { topk(x, -1, 0); }) ==
        "topk: expected k in [0, 2] for axis 0 of (2, 3), got -1");
  CHECK(error_of([&] { sort(zeros({})); }) == "sort: there is no axis -1 in shape ()");
  CHECK(error_of([&] { argsort(x, 2); }) == "argsort: there is no axis 2 in shape (2, 3)");
  CHECK(error_of([&] {
          argmin(zeros({2, 0}), 1);
        }) == "argmin: expected at least one element on axis 1, got (2, 0)");
}
