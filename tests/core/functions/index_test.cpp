#include <doctest/doctest.h>

#include <cmath>

#include "core/core.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

using Values = std::vector<double>;

Tensor ids(std::vector<int64_t> numbers) {
  const int64_t n = static_cast<int64_t>(numbers.size());
  return tensor(numbers, {n});
}

const Tensor x = reshape(arange(24), {2, 3, 4});

}  // namespace

TEST_CASE("a number takes one element of an axis and removes the axis") {
  CHECK(x[1].shape() == Shape{3, 4});
  CHECK(values(x[1]) == Values{12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23});
  CHECK(x[1][-1][0].item() == 20);
  CHECK(x[{1, -1, 0}].item() == 20);
  CHECK(values(x[{0, 1}]) == Values{4, 5, 6, 7});
  CHECK(values(x[{all, 1, -1}]) == Values{7, 19});
}

TEST_CASE("ranges, all, ellipsis and new axes do what they do in Python") {
  CHECK(values(x[{0, range(1, -1), range(0, 4, 3)}]) == Values{4, 7});
  CHECK(values(x[{0, range({}, 2), 0}]) == Values{0, 4});
  CHECK(values(x[{0, range(1, {}), 0}]) == Values{4, 8});
  CHECK(values(x[{0, range(-2, {}), 0}]) == Values{4, 8});
  CHECK(values(x[{ellipsis, 2}]) == Values{2, 6, 10, 14, 18, 22});
  CHECK(values(x[{1, ellipsis, 0}]) == Values{12, 16, 20});
  CHECK(x[{new_axis, 0, ellipsis, new_axis}].shape() == Shape{1, 3, 4, 1});
  CHECK(x[{all, new_axis, range(0, 2)}].shape() == Shape{2, 1, 2, 4});
  CHECK(x[{ellipsis}].shape() == x.shape());
  CHECK(x[{0, 0, 0, ellipsis}].item() == 0);
  CHECK(x[{range(1, 1)}].shape() == Shape{0, 3, 4});
  CHECK(zeros({0, 3})[{all, 1}].shape() == Shape{0});
}

TEST_CASE("what numbers and ranges take is a view") {
  Tensor y = clone(x);
  Tensor part = y[{1, range(0, 2), 3}];
  part.assign(tensor({-1, -2}));
  CHECK(values(y[{1, all, 3}]) == Values{-1, -2, 23});
}

TEST_CASE("a tensor of int64 takes elements in its own shape") {
  CHECK(values(x[{0, ids({2, 0}), 1}]) == Values{9, 1});
  CHECK(x[{all, tensor(std::vector<int64_t>{0, 1, 2, 0}, {2, 2})}].shape() == Shape{2, 2, 2, 4});
  CHECK(values(index_select(x, 2, ids({3, 3}))) ==
        Values{3, 3, 7, 7, 11, 11, 15, 15, 19, 19, 23, 23});
  CHECK(values(index_select(transpose(x), 1, ids({1}))) == values(contiguous(x[{all, all, 1}])));
  CHECK(values(index_select(arange(5, DType::int64), 0, ids({4, 0}))) == Values{4, 0});
  CHECK(index_select(x, 1, ids({})).shape() == Shape{2, 0, 4});
}

TEST_CASE("take_along_axis takes one element for each index, and broadcasts the other axes") {
  const Tensor y = tensor({{10, 20, 30}, {40, 50, 60}});
  const Tensor first_and_last = tensor(std::vector<int64_t>{0, 2}, {1, 2});
  CHECK(values(take_along_axis(y, first_and_last, 1)) == Values{10, 30, 40, 60});
  CHECK(values(take_along_axis(y, tensor(std::vector<int64_t>{1, 0, 1}, {1, 3}), 0)) ==
        Values{40, 20, 60});
  CHECK(values(take_along_axis(transpose(y), tensor(std::vector<int64_t>{2, 1}, {1, 2}), 0)) ==
        Values{30, 50});
  CHECK(values(take_along_axis(y[{range(0, 1)}], tensor(std::vector<int64_t>{2, 1}, {2, 1}), 1)) ==
        Values{30, 20});
  CHECK(take_along_axis(y, zeros({2, 0}, DType::int64), 1).shape() == Shape{2, 0});
}

TEST_CASE("masked_select takes the elements whose condition is not 0, NaN among them") {
  const Tensor y = tensor({{1, -2, 3}, {-4, 5, -6}});
  CHECK(values(masked_select(y, greater(y, 0))) == Values{1, 3, 5});
  CHECK(values(masked_select(y, tensor({{0}, {1}}))) == Values{-4, 5, -6});
  CHECK(values(masked_select(tensor({7, 8}), tensor({NAN, 0}))) == Values{7});
  CHECK(masked_select(y, greater(y, 9)).shape() == Shape{0});
  CHECK(values(masked_select(y, ids({1, 0, 1}))) == Values{1, 3, -4, -6});
}

TEST_CASE("a clone shares nothing with its original, and passes its gradient on") {
  Tensor y = tensor({1, 2});
  Tensor copy = clone(y);
  copy.assign(tensor({3, 4}));
  CHECK(values(y) == Values{1, 2});
  CHECK(clone(transpose(x)).is_contiguous());
  const Tensor leaf = tensor({1, 2}).require_grad();
  sum(clone(leaf) * 3).backward();
  CHECK(values(leaf.grad()) == Values{3, 3});
}

TEST_CASE("an element that is taken twice gets the sum of both gradients") {
  const Tensor leaf = tensor({{1, 2, 3}, {4, 5, 6}}).require_grad();
  sum(leaf[{all, ids({0, 2, 0})}] * tensor({1, 10, 100})).backward();
  CHECK(values(leaf.grad()) == Values{101, 0, 10, 101, 0, 10});
}

TEST_CASE("errors of indexing name the index, the axis and the tensor") {
  const std::vector<std::pair<std::function<void()>, std::string>> cases{
      {[] { x[2]; }, "index: expected an index in [-2, 2) for axis 0 of (2, 3, 4), got 2"},
      {[] {
         x[{new_axis, ellipsis, -5}];
       },
       "index: expected an index in [-4, 4) for axis 2 of (2, 3, 4), got -5"},
      {[] {
         x[{0, 0, 0, 0}];
       },
       "index: expected at most 3 entries for (2, 3, 4), got 4"},
      {[] {
         x[{ellipsis, 0, ellipsis}];
       },
       "index: expected at most one ellipsis, got 2"},
      {[] {
         x[{ids({0}), ids({0})}];
       },
       "index: expected at most one tensor of indices, got 2"},
      {[] { tensor({1})[0][0]; }, "index: expected at most 0 entries for (), got 1"},
      {[] {
         x[{0, ids({3})}];
       },
       "gather: expected indices in [0, 3), got 3"},
      {[] { index_select(x, 3, ids({0})); }, "index_select: there is no axis 3 in shape (2, 3, 4)"},
      {[] { take_along_axis(x, ids({0}), 1); },
       "take_along_axis: expected indices with 3 axes for (2, 3, 4), got (1)"},
      {[] {
         take_along_axis(x, zeros({2, 1, 4}), 1);
       },
       "take_along_axis: expected int64 indices, got float32 (2, 1, 4)"},
      {[] {
         take_along_axis(tensor({1, 2}), ids({-1}), 0);
       },
       "take_along_axis: expected indices in [0, 2) for axis 0 of (2), got -1"},
      {[] {
         take_along_axis(x, zeros({5, 1, 4}, DType::int64), 1);
       },
       "take_along_axis: shapes (2, 1, 4) and (5, 1, 4) do not broadcast: sizes 2 and 5 differ"},
      {[] { masked_select(x, ones({3})); },
       "masked_select: shapes (2, 3, 4) and (3) do not broadcast: sizes 4 and 3 differ"},
  };
  for (const auto& [f, message] : cases) CHECK(error_of(f) == message);
}
