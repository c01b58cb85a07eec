/// Empty, single and huge sizes: every op has a defined answer for 0 and 1, and sizes whose product
/// 64 bits cannot count are an Error, never a small allocation.

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "core/core.h"
#include "core/tensor/random.h"
#include "layers/attention/attention.h"
#include "layers/attention/tiled_attention.h"
#include "layers/dense.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

namespace {
using Values = std::vector<double>;
constexpr int64_t huge = int64_t{1} << 61, largest = std::numeric_limits<int64_t>::max();
}  // namespace

TEST_CASE("matmul over an inner size of 0 is 0, for any number of rows and columns") {
  for (const int64_t rows : {0, 1, 2, 17})
    for (const int64_t columns : {0, 1, 2, 17, 1000})
      for (const DType dtype : {DType::float32, DType::float64}) {
        INFO(rows, " ", columns);
        const Tensor old = full({3, rows, columns}, 49, dtype);  // memory that may be used again
        const Tensor y = matmul(zeros({3, rows, 0}, dtype), zeros({3, 0, columns}, dtype));
        CHECK(y.shape() == old.shape());
        CHECK(values(y) == Values(static_cast<size_t>(3 * rows * columns), 0));
        const Tensor flat = matmul(zeros({rows, 0}, dtype), zeros({0, columns}, dtype));
        CHECK(values(flat) == Values(static_cast<size_t>(rows * columns), 0));
      }
}

TEST_CASE("linear of no inputs is the bias") {
  const Tensor y = linear(zeros({2, 0}), zeros({3, 0}), tensor({1, 2, 3}));
  CHECK(values(y) == Values{1, 2, 3, 1, 2, 3});
}

TEST_CASE("attention over 0 keys is 0") {
  for (const int64_t queries : {1, 3}) {
    const Tensor q = ones({2, queries, 4}), none = zeros({2, 0, 4});
    const Values zero(static_cast<size_t>(2 * queries * 4), 0);
    CHECK(values(ScaledDotAttention{}(q, none, none, {}, nullptr).output) == zero);
    CHECK(values(TiledAttention{}(q, none, none, {}, nullptr).output) == zero);
  }
}

TEST_CASE("reductions of nothing") {
  const Tensor none = zeros({0, 2});
  CHECK(values(sum(none, {0})) == Values{0, 0});
  CHECK(values(prod(none, {0})) == Values{1, 1});
  CHECK(values(max(none, {0})) == Values{-INFINITY, -INFINITY});
  CHECK(values(logsumexp(none, {0})) == Values{-INFINITY, -INFINITY});
  CHECK(std::isnan(mean(none).item()));
  CHECK(std::isnan(var(none).item()));
  CHECK(norm(none).item() == 0);
  CHECK(sum(none, {1}).shape() == Shape{0});
  CHECK(softmax(none).shape() == Shape{0, 2});
  CHECK(softmax(zeros({2, 0})).shape() == Shape{2, 0});
  CHECK(layer_norm(zeros({2, 0})).shape() == Shape{2, 0});
  CHECK(cumsum(none, 0).shape() == Shape{0, 2});
  CHECK(sort(none, 0).values.shape() == Shape{0, 2});
  CHECK(gather(zeros({0, 2}), zeros({0}, DType::int64)).shape() == Shape{0, 2});
  CHECK(values(scatter_add(2, zeros({0}, DType::int64), zeros({0}))) == Values{0, 0});
  CHECK(cross_entropy(zeros({0, 3}), zeros({0}, DType::int64)).item() == 0);
  const Tensor x = zeros({0, 2}).require_grad();
  sum(x * 2).backward();
  CHECK(x.grad().shape() == Shape{0, 2});
}

TEST_CASE("a Dense layer without inputs has a bias of 0, and gives it") {
  Generator generator(1);
  const Dense dense(0, 3, generator);
  CHECK(values(dense.bias) == Values{0, 0, 0});
  CHECK(values(dense(zeros({2, 0}))) == Values(6, 0));
}

TEST_CASE("sizes whose product overflows are an Error that says the shape") {
  const Tensor one = zeros({1}), x = zeros({2, 2});
  const Tensor stretched = expand(one, {huge / 4});
  const std::vector<std::pair<std::function<void()>, std::string>> cases{
      {[&] {
         zeros({huge, 8});
       },
       "tensor: expected fewer than 2⁶³ bytes"},
      {[&] {
         full({int64_t{1} << 32, int64_t{1} << 32}, 1);
       },
       "tensor: expected fewer than 2⁶³ bytes"},
      {[&] {
         zeros({0, huge, 8});
       },
       "tensor: expected fewer than 2⁶³ bytes"},
      {[&] {
         zeros({huge, 8, 0});
       },
       "tensor: expected fewer than 2⁶³ bytes"},
      {[&] {
         expand(one, {huge, 8});
       },
       "expand: expected fewer than 2⁶³ bytes"},
      {[&] {
         expand(zeros({1, 1}), {int64_t{1} << 32, int64_t{1} << 32});
       },
       "expand: expected fewer than 2⁶³ bytes"},
      {[&] {
         reshape(x, {4, int64_t{1} << 62, 4});
       },
       "reshape: expected fewer than 2⁶³ bytes"},
      {[&] {
         reshape(x, {(int64_t{1} << 62) + 1, 4});
       },
       "reshape: expected fewer than 2⁶³ bytes"},
      {[&] {
         reshape(x, {-1, int64_t{1} << 62, 4});
       },
       "reshape: expected fewer than 2⁶³ bytes"},
      {[&] {
         reshape(x, {-2, -2});
       },
       "reshape: expected sizes of at least 0"},
      {[&] {
         reshape(zeros({0}), {0, -1});
       },
       "reshape: expected a shape of 0 elements"},
      {[&] { pad(x, 0, 0, 0, 0, huge * 2); }, "tensor: expected fewer than 2⁶³ bytes"},
      {[&] { pad(x, 0, 0, 0, 0, largest); }, "pad: expected a size below 2⁶³"},
      {[&] { pad(x, 0, largest, 1); }, "pad: expected a size below 2⁶³"},
      {[&] { pad(x, 0, 0, 0, 0, huge); }, "tensor: expected fewer than 2⁶³ bytes"},
      {[&] { one_hot(zeros({4}, DType::int64), huge); }, "tensor: expected fewer than 2⁶³ bytes"},
      {[&] { one_hot(zeros({0}, DType::int64), -1); }, "tensor: expected sizes of at least 0"},
      {[&] {
         scatter_add(huge, zeros({1}, DType::int64), zeros({1, 8}));
       },
       "tensor: expected fewer than 2⁶³ bytes"},
      {[&] {
         concat({stretched, stretched, stretched, stretched}, 0);
       },
       "tensor: expected fewer than 2⁶³ bytes"},
      {[&] {
         expand(reshape(stretched, {huge / 4, 1}), {huge / 4, 8});
       },
       "expand: expected fewer than 2⁶³ bytes"},
      {[&] {
         stretched + reshape(one, {1, 1}) + expand(reshape(one, {1, 1}), {64, 1});
       },
       "tensor: expected"},
      {[&] { Mask::causal(huge, huge); }, "tensor: expected fewer than 2⁶³ bytes"},
      {[&] { arange(huge * 2); }, "tensor: expected fewer than 2⁶³ bytes"},
      {[&] {
         Generator generator(1);
         random_normal({huge, 8}, 0, 1, generator);
       },
       "tensor: expected fewer than 2⁶³ bytes"},
  };
  for (const auto& [call, message] : cases) {
    const std::string error = error_of(call), expected = message;
    CHECK_MESSAGE(error.starts_with(expected), error, ", expected ", expected);
  }
}

TEST_CASE("memory that cannot be had is an Error, not std::bad_alloc") {
  const std::string error = error_of([] { zeros({int64_t{1} << 58}); });
  CHECK(error ==
        "tensor: expected enough memory for float32 of shape (288230376151711744), "
        "1152921504606846976 bytes, got none");
}

TEST_CASE("a slice with the largest step takes one element, and its gradient comes back") {
  const Tensor x = tensor({1, 2, 3}).require_grad();
  const Tensor y = slice(x, 0, 1, 3, largest);
  CHECK(values(y) == Values{2});
  y.backward(ones({1}));
  CHECK(values(x.grad()) == Values{0, 1, 0});
  const auto g = grad({slice(x, 0, 0, 3, largest - 1)}, {x}, {.create_graph = true}, {ones({1})});
  CHECK(values(g[0]) == Values{1, 0, 0});
}

TEST_CASE("pad with any gap around one element adds none") {
  CHECK(values(pad(tensor({5}), 0, 1, 1, 0, largest)) == Values{0, 5, 0});
  CHECK(values(pad(zeros({0}), 0, 1, 1, 7, largest)) == Values{7, 7});
}

TEST_CASE("rates and probabilities refuse NaN") {
  Generator generator(1);
  const double nan = std::nan("");
  CHECK(error_of([&] { dropout(ones({2}), nan, &generator); }) ==
        "dropout: expected a rate in [0, 1), got nan");
  CHECK(error_of([&] {
          cross_entropy(zeros({1, 2}), zeros({1}, DType::int64), {.label_smoothing = nan});
        }) == "cross_entropy: expected label_smoothing in [0, 1], got nan");
  CHECK(error_of([&] { norm(ones({2}), nan); }) == "norm: expected p > 0, got nan");
  CHECK(error_of([&] { huber_loss(ones({2}), ones({2}), nan); }) ==
        "huber_loss: expected delta > 0, got nan");
}
