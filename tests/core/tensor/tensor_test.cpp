#include "core/tensor/tensor.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/core.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;
using Values = std::vector<double>;

TEST_CASE("a tensor is made from nested lists, whose nesting is its shape") {
  CHECK(tensor(2.5).shape() == Shape{});
  CHECK(tensor(2.5).item() == 2.5);
  CHECK(tensor({1, 2, 3}).shape() == Shape{3});
  CHECK(tensor({{1, 2, 3}, {4, 5, 6}}).shape() == Shape{2, 3});
  CHECK(tensor({{{1}, {2}}}).shape() == Shape{1, 2, 1});
  CHECK(tensor({{}, {}}).shape() == Shape{2, 0});
  CHECK(values(tensor({{1, 2}, {3, 4}})) == Values{1, 2, 3, 4});
  CHECK(tensor({1, 2}).dtype() == DType::float32);
  CHECK(tensor({1, 2}, DType::int64).to_vector<int64_t>() == std::vector<int64_t>{1, 2});
}

TEST_CASE("nested lists that are no array are refused") {
  CHECK(error_of([] {
          tensor({{1, 2}, {3}});
        }) == "tensor: lists of one level differ in length: 2 and 1");
  for (const NestedList& list : {NestedList{1, {2}}, NestedList{{1}, 2}, NestedList{{1}, {{2}}}})
    CHECK(error_of([&] { tensor(list); }) == "tensor: numbers and lists stand side by side");
}

TEST_CASE("a tensor is made from vectors and spans, which it copies") {
  std::vector<float> numbers{1, 2, 3, 4};
  const Tensor x = tensor(numbers, {2, 2}), y = tensor(std::span<const float>(numbers), {4});
  numbers[0] = 9;
  CHECK(values(x) == Values{1, 2, 3, 4});
  CHECK(values(y) == Values{1, 2, 3, 4});
  CHECK(tensor(std::vector<double>{1}, {1}).dtype() == DType::float64);
  CHECK(tensor(std::vector<int64_t>{1}, {1}).dtype() == DType::int64);
  CHECK(error_of([&] { tensor(numbers, {3}); }) ==
        "tensor: expected 3 values for shape (3), got 4");
}

TEST_CASE("full, zeros, ones and arange fill any dtype") {
  CHECK(values(full({2}, 2.5)) == Values{2.5, 2.5});
  CHECK(values(full({2}, 2.5, DType::int64)) == Values{2, 2});
  CHECK(values(zeros_like(tensor({1, 2}))) == Values{0, 0});
  CHECK(ones_like(tensor({1}, DType::float64)).dtype() == DType::float64);
  CHECK(arange(3, DType::int64).to_vector<int64_t>() == std::vector<int64_t>{0, 1, 2});
  CHECK(arange(0).shape() == Shape{0});
  CHECK(error_of([] { zeros({2, -1}); }) == "tensor: expected sizes of at least 0, got (2, -1)");
  CHECK(error_of([] {
          zeros({1, 1, 1, 1, 1, 1, 1, 1, 1});
        }) == "shape: a tensor has at most 8 axes");
}

TEST_CASE("a tensor that is none says so when it is used") {
  const Tensor none;
  CHECK_FALSE(none.defined());
  CHECK(none.text() == "undefined");
  CHECK(error_of([&] { none.shape(); }) == "tensor: used before it has a value");
  CHECK(error_of([&] { exp(none); }) == "tensor: used before it has a value");
}

TEST_CASE("views share their elements with the tensor they look at") {
  Tensor x = zeros({2, 3});
  for (const Tensor& view : {reshape(x, {6}), transpose(x), slice(x, 1, 0, 2), expand(x, {4, 2, 3}),
                             unsqueeze(x, 0), x[0], x.detach(), Tensor(x)}) {
    x.mutable_span<float>()[0] += 1;
    CHECK(view.data<float>()[0] == x.data<float>()[0]);
  }
  CHECK(contiguous(x).data<float>() == x.data<float>());
  CHECK(contiguous(transpose(x)).data<float>() != x.data<float>());
}

TEST_CASE("a strided view is reshaped without a copy where strides can describe it") {
  const Tensor x = reshape(arange(24), {2, 3, 4});
  SUBCASE("merging axes that still lie one behind the other") {
    const Tensor y = reshape(permute(x, {2, 0, 1}), {4, 6});
    CHECK(y.data<float>() == x.data<float>());
    CHECK(values(y[1]) == Values{1, 5, 9, 13, 17, 21});
  }
  SUBCASE("splitting an axis") {
    const Tensor y = reshape(slice(x, 0, 0, 2, 1), {2, 3, 2, 2});
    CHECK(values(y[{ellipsis, 1}]) == values(slice(reshape(x, {24}), 0, 1, 24, 2)));
    CHECK(values(reshape(transpose(x), {2, 2, 2, 3})) == values(contiguous(transpose(x))));
  }
  SUBCASE("axes of size one come and go") {
    CHECK(reshape(transpose(x), {2, 1, 4, 1, 3}).shape() == Shape{2, 1, 4, 1, 3});
    CHECK(values(reshape(slice(x, 2, 1, 2), {2, 3})) == Values{1, 5, 9, 13, 17, 21});
  }
  SUBCASE("and is refused where they cannot") {
    CHECK(error_of([&] { reshape(transpose(x), {24}); }) ==
          "reshape: expected a tensor whose strides fit (24), got a view (2, 4, 3); call "
          "contiguous() first");
    CHECK(reshape(contiguous(transpose(x)), {24}).shape() == Shape{24});
  }
}

TEST_CASE("slices step through an axis and count from both ends") {
  const Tensor x = arange(7);
  CHECK(values(slice(x, 0, 2, 5)) == Values{2, 3, 4});
  CHECK(values(slice(x, 0, 1, 7, 3)) == Values{1, 4});
  CHECK(values(slice(x, 0, -3, -1)) == Values{4, 5});
  CHECK(values(slice(x, 0, 0, 7, 7)) == Values{0});
  CHECK(values(slice(x, 0, 3, 3)) == Values{});
  CHECK(values(slice(slice(x, 0, 1, 7, 2), 0, 1, 3)) == Values{3, 5});
  CHECK(x[-2].item() == 5);
}

TEST_CASE("movement puts every element where it belongs") {
  const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}});
  CHECK(values(transpose(x)) == Values{1, 4, 2, 5, 3, 6});
  CHECK(values(pad(x, 1, 1, 2, 9)) == Values{9, 1, 2, 3, 9, 9, 9, 4, 5, 6, 9, 9});
  CHECK(values(pad(tensor({1, 2}), 0, 0, 1, 0, 2)) == Values{1, 0, 0, 2, 0});
  CHECK(values(concat({x, tensor({{7}, {8}})}, -1)) == Values{1, 2, 3, 7, 4, 5, 6, 8});
  CHECK(stack({x, x}, -1).shape() == Shape{2, 3, 2});
  CHECK(values(stack({x, x + 6}, 1)) == Values{1, 2, 3, 7, 8, 9, 4, 5, 6, 10, 11, 12});
  CHECK(values(split(x, 3, 1)[1]) == Values{2, 5});
  CHECK(values(expand(tensor({{1}, {2}}), {2, 2, 2})) == Values{1, 1, 2, 2, 1, 1, 2, 2});
}

TEST_CASE("argmax gives the first of the largest, and one_hot marks it") {
  const Tensor x = tensor({{1, 3, 3}, {-1, -2, -1}});
  CHECK(values(argmax(x, 1)) == Values{1, 0});
  CHECK(values(argmax(x, 0)) == Values{0, 0, 0});
  CHECK(values(one_hot(argmax(x, -1), 3)) == Values{0, 1, 0, 1, 0, 0});
  CHECK(one_hot(argmax(x, 1), 3, DType::int64).dtype() == DType::int64);
}

TEST_CASE("shapes broadcast from the last axis on, where a size of one stretches") {
  const auto shape_of_sum = [](const Shape& a, const Shape& b) {
    return (zeros(a) + zeros(b)).shape();
  };
  CHECK(shape_of_sum({2, 3}, {3}) == Shape{2, 3});
  CHECK(shape_of_sum({}, {2, 1}) == Shape{2, 1});
  CHECK(shape_of_sum({4, 1, 3}, {5, 1}) == Shape{4, 5, 3});
  CHECK(shape_of_sum({0, 3}, {1, 1}) == Shape{0, 3});
  CHECK(error_of([&] {
          shape_of_sum({2, 3}, {2});
        }) == "add: shapes (2, 3) and (2) do not broadcast: sizes 3 and 2 differ");
  CHECK(error_of([&] { shape_of_sum({0}, {3}); }) ==
        "add: shapes (0) and (3) do not broadcast: sizes 0 and 3 differ");
  CHECK(values(tensor({{1}, {2}}) + tensor({10, 20})) == Values{11, 21, 12, 22});
}

TEST_CASE("a tensor prints its values with their shape") {
  CHECK(tensor(0.5).text() == "float32 () 0.5");
  CHECK(tensor({1, 2.5, -3}).text() == "float32 (3) [1, 2.5, -3]");
  CHECK(tensor({{1, 2}, {3, 4}}, DType::int64).text() == "int64 (2, 2)\n[[1, 2],\n [3, 4]]");
  CHECK(reshape(arange(8, DType::float64), {2, 2, 2}).text() ==
        "float64 (2, 2, 2)\n[[[0, 1],\n  [2, 3]],\n [[4, 5],\n  [6, 7]]]");
  CHECK(tensor({1.0 / 3, 1e10, 1e-10}).text() == "float32 (3) [0.3333, 1e+10, 1e-10]");
  CHECK(arange(9).text() == "float32 (9) [0, 1, 2, …, 6, 7, 8]");
  CHECK(zeros({9, 1}).text() == "float32 (9, 1)\n[[0],\n [0],\n [0],\n …,\n [0],\n [0],\n [0]]");
  CHECK(zeros({0}).text() == "float32 (0) []");
  CHECK(transpose(tensor({{1, 2}, {3, 4}})).text() == "float32 (2, 2)\n[[1, 3],\n [2, 4]]");
}

TEST_CASE("item gives the only element, and refuses several") {
  CHECK(tensor({{{7}}}).item() == 7);
  CHECK(error_of([] { tensor({1, 2}).item(); }) == "item: expected one element, got (2)");
}

TEST_CASE("assign overwrites values in place, through any strides") {
  Tensor x = zeros({2, 3});
  transpose(x).assign(tensor({{1, 4}, {2, 5}, {3, 6}}));
  CHECK(values(x) == Values{1, 2, 3, 4, 5, 6});
  CHECK(error_of([&] { x.assign(zeros({3})); }) ==
        "assign: expected values of float32 (2, 3), got float32 (3)");
  CHECK(error_of([&] {
          x.assign(zeros({2, 3}, DType::float64));
        }) == "assign: expected values of float32 (2, 3), got float64 (2, 3)");
}

TEST_CASE("elements are only reached as what they are") {
  CHECK(error_of([] { zeros({2}).data<double>(); }) ==
        "data: expected a tensor of float64, got float32 (2)");
  CHECK(error_of([] {
          transpose(zeros({2, 3})).span<float>();
        }) == "span: (3, 2) is a strided view; call contiguous() first");
  CHECK(error_of([] { zeros({2}).size(1); }) == "size: there is no axis 1 in shape (2)");
}

TEST_CASE("cast converts between all dtypes") {
  CHECK(cast(tensor({1.9, -1.9}), DType::int64).to_vector<int64_t>() ==
        std::vector<int64_t>{1, -1});
  CHECK(values(cast(arange(2, DType::int64), DType::float32)) == Values{0, 1});
  CHECK(values(cast(transpose(tensor({{1, 2}, {3, 4}})), DType::float64)) == Values{1, 3, 2, 4});
}

TEST_CASE("empty tensors pass through every kind of op") {
  const Tensor none = zeros({0, 3}).require_grad(), no_columns = zeros({2, 0});
  CHECK((exp(none) * 2 + tensor({1, 2, 3})).shape() == Shape{0, 3});
  CHECK(transpose(none).shape() == Shape{3, 0});
  CHECK(reshape(none, {3, 0}).shape() == Shape{3, 0});
  CHECK(slice(none, 1, 1, 3).shape() == Shape{0, 2});
  CHECK(values(pad(zeros({0}), 0, 1, 2, 5)) == Values{5, 5, 5});
  CHECK(concat({none, ones({1, 3})}, 0).shape() == Shape{1, 3});
  CHECK(stack({none, none}, 0).shape() == Shape{2, 0, 3});
  CHECK(values(sum(none, {0})) == Values{0, 0, 0});
  CHECK(sum(none, {1}).shape() == Shape{0});
  CHECK(std::isnan(mean(none).item()));
  CHECK(max(none, {0}).to_vector<float>() == std::vector<float>(3, -INFINITY));
  CHECK(min(none, {0}).to_vector<float>() == std::vector<float>(3, INFINITY));
  CHECK(logsumexp(none, {0}).to_vector<float>() == std::vector<float>(3, -INFINITY));
  CHECK(std::isnan(var(none).item()));
  CHECK(values(matmul(no_columns, zeros({0, 2}))) == Values{0, 0, 0, 0});
  CHECK(matmul(none, zeros({3, 2})).shape() == Shape{0, 2});
  CHECK(values(matmul(zeros({1, 2, 0}), zeros({0, 2}))) == Values{0, 0, 0, 0});
  CHECK(values(linear(zeros({1, 2, 0}), zeros({2, 0}), ones({2}))) == Values{1, 1, 1, 1});
  CHECK(linear(none, zeros({2, 3}), zeros({2})).shape() == Shape{0, 2});
  CHECK(matmul(zeros({0, 2, 3}), zeros({3, 2})).shape() == Shape{0, 2, 2});
  CHECK(matmul(zeros({0, 2, 3}), zeros({0, 3, 2})).shape() == Shape{0, 2, 2});
  CHECK(softmax(none).shape() == Shape{0, 3});
  CHECK(softmax(no_columns).shape() == Shape{2, 0});
  CHECK(log_softmax(none, 0).shape() == Shape{0, 3});
  CHECK(layer_norm(none).shape() == Shape{0, 3});
  CHECK(cross_entropy(none, zeros({0}, DType::int64)).item() == 0);
  CHECK(gather(ones({4, 3}), zeros({0, 2}, DType::int64)).shape() == Shape{0, 2, 3});
  CHECK(values(scatter_add(1, zeros({0}, DType::int64), none)) == Values{0, 0, 0});
  CHECK(take_along_axis(none, zeros({0, 1}, DType::int64), 1).shape() == Shape{0, 1});
  CHECK(argmax(none, 1).shape() == Shape{0});
  CHECK(masked_fill(none, Mask::attend(ones({3})), 1).shape() == Shape{0, 3});
  sum(exp(none) + matmul(none, ones({3, 3}))).backward();
  CHECK(none.grad().shape() == Shape{0, 3});
}
