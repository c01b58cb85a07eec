/// Promises: what a header says that a function throws, it throws, as Error.

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "core/autograd/accumulate.h"
#include "core/core.h"
#include "core/functions/value_and_grad.h"
#include "core/tensor/random.h"
#include "core/tensor/threads.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

TEST_CASE("every clause on what throws, header by header") {
  const Tensor x = zeros({2, 3}), ids = zeros({2}, DType::int64), none;
  const Tensor result = zeros({2}).require_grad() * 2;
  Tensor expanded = expand(zeros({1}), {3});
  Generator generator(1);
  const std::vector<std::pair<const char*, std::function<void()>>> calls{
      // core/tensor
      {"below", [&] { generator.below(0); }},
      {"random_uniform", [&] { random_uniform({2}, 0, 1, generator, DType::int64); }},
      {"size", [&] { x.size(2); }},
      {"nine axes",
       [&] {
         zeros({1, 1, 1, 1, 1, 1, 1, 1, 1});
       }},
      {"broadcast", [&] { broadcast("f", {2}, {3}); }},
      {"checked_axes",
       [&] {
         sum(x, {0, -2});
       }},
      {"Shape::check", [&] { Shape({-1}).check(); }},
      {"an undefined tensor", [&] { none.shape(); }},
      {"data", [&] { x.data<double>(); }},
      {"mutable_data", [&] { Tensor(x).mutable_data<int64_t>(); }},
      {"span", [&] { transpose(x).span<float>(); }},
      {"item", [&] { x.item(); }},
      {"assign", [&] { expanded.assign(zeros({3})); }},
      {"assign of another shape", [&] { Tensor(x).assign(zeros({3})); }},
      {"require_grad of integers", [&] { ids.require_grad(); }},
      {"require_grad of a result", [&] { result.require_grad(); }},
      {"backward without a graph",
       [&] {
         x.backward(ones({2, 3}));
       }},
      {"backward of two elements", [&] { result.backward(); }},
      {"on_gradient", [&] { x.on_gradient([](const Tensor& g) { return g; }); }},
      {"on_gradient of no function", [&] { zeros({1}).require_grad().on_gradient({}); }},
      {"to_vector of more than memory",
       [&] { expand(zeros({1}), {int64_t{1} << 60}).to_vector<double>(); }},
      {"set_name", [&] { x.set_name("x"); }},
      {"lists of different lengths",
       [&] {
         tensor({{1, 2}, {3}});
       }},
      {"too few values",
       [&] {
         tensor(std::vector<float>{1, 2}, {3});
       }},
      {"set_threads", [&] { set_threads(0); }},
      // core/autograd
      {"add_into", [&] { add_into(expanded, zeros({3})); }},
      {"grad of what does not depend", [&] { grad({sum(result)}, {zeros({}).require_grad()}); }},
      // core/ops
      {"reshape", [&] { reshape(x, {4}); }},
      {"reshape of a strided view", [&] { reshape(transpose(x), {6}); }},
      {"permute", [&] { permute(x, std::vector<int>{0}); }},
      {"slice", [&] { slice(x, 0, 1, 0); }},
      {"pad", [&] { pad(x, 0, 0, 0, 0, -1); }},
      {"expand", [&] { expand(x, {2}); }},
      {"unsqueeze", [&] { unsqueeze(x, 4); }},
      {"squeeze", [&] { squeeze(x, 0); }},
      {"concat of none", [&] { concat({}, 0); }},
      {"concat of two dtypes",
       [&] {
         concat({x, zeros({2, 3}, DType::float64)}, 0);
       }},
      {"split", [&] { split(x, 2, 1); }},
      {"two float types",
       [&] {
         x + zeros({2, 3}, DType::float64);
       }},
      {"exp of integers", [&] { exp(ids); }},
      {"a wrong count", [&] { gelu(x, x); }},
      {"no such input", [&] { gelu.derivative(1); }},
      {"remainder by 0", [&] { remainder(ids, ids); }},
      {"max of no integers", [&] { max(zeros({0}, DType::int64)); }},
      {"norm", [&] { norm(x, 0); }},
      {"argmax", [&] { argmax(zeros({0}), 0); }},
      {"gather", [&] { gather(x, full({1}, 2, DType::int64)); }},
      {"scatter_add", [&] { scatter_add(1, full({1}, 1, DType::int64), zeros({1})); }},
      {"scatter_add of other rows", [&] { scatter_add(1, ids, zeros({3})); }},
      {"one_hot", [&] { one_hot(full({1}, 3, DType::int64), 3); }},
      {"matmul", [&] { matmul(x, x); }},
      {"linear",
       [&] {
         linear(x, zeros({2, 4}));
       }},
      // core/functions
      {"dropout", [&] { dropout(x, 1, &generator); }},
      {"einsum",
       [&] {
         einsum("ij,jk->il", {x, zeros({3, 2})});
       }},
      {"an index out of range", [&] { x[2]; }},
      {"a step of 0", [&] { x[{range(0, 1, 0)}]; }},
      {"index_select", [&] { index_select(x, 1, full({1}, 3, DType::int64)); }},
      {"take_along_axis",
       [&] {
         take_along_axis(x, full({1, 1}, -1, DType::int64), 1);
       }},
      {"huber_loss", [&] { huber_loss(x, x, 0); }},
      {"mse_loss", [&] { mse_loss(x, zeros({3})); }},
      {"a mask of twos",
       [&] {
         Mask::attend(full({1, 1}, 2));
       }},
      {"a mask of one axis", [&] { Mask::attend(ones({2}), Mask::batch_time); }},
      {"a length too long", [&] { Mask::lengths(std::vector<int64_t>{3}, 2); }},
      {"a window below 0", [&] { Mask::window(1, 1, -1, 0); }},
      {"masked_fill",
       [&] {
         masked_fill(x, Mask::attend(ones({4, 4}), Mask::elements), 0);
       }},
      {"topk", [&] { topk(x, 4); }},
      {"layer_norm", [&] { layer_norm(x, zeros({2})); }},
      {"cross_entropy", [&] { cross_entropy(x, full({2}, 3, DType::int64)); }},
      {"value_and_grad of a matrix",
       [&] { value_and_grad([](const Tensor& a) { return a * 2; })(x); }},
      {"value_and_grad of no function", [&] { value_and_grad(nullptr, {x}); }},
      // optim
      {"an optimiser without an update",
       [&] { Optimizer("None", std::vector<Tensor>{zeros({1}).require_grad()}, 1, {}, nullptr); }},
      {"warm_up before no schedule", [&] { warm_up(2, nullptr); }},
  };
  for (const auto& [clause, call] : calls) {
    const std::string name = clause;
    INFO(name);
    CHECK_THROWS_AS(call(), Error);
  }
}

TEST_CASE("a hook that is no function is refused when it is given, not in the backward pass") {
  CHECK_THROWS_WITH_AS(zeros({2}).require_grad().on_gradient({}),
                       "on_gradient: expected a function, got an empty one", Error);
}
