#include <doctest/doctest.h>

#include <functional>

#include "core/core.h"
#include "core/tensor/random.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

TEST_CASE("bad input is refused with the op, the rule and what was given") {
  const Tensor x = zeros({2, 3, 4}), matrix = zeros({2, 3}), row = zeros({3}), one = zeros({});
  const Tensor ids = zeros({2}, DType::int64), doubles = zeros({2, 3}, DType::float64);
  const Tensor nine = full({2}, 9, DType::int64), minus = full({2}, -1, DType::int64);
  const std::vector<std::pair<std::function<void()>, std::string>> cases{
      // pointwise
      {[&] { x + matrix; },
       "add: shapes (2, 3, 4) and (2, 3) do not broadcast: sizes 3 and 2 differ"},
      {[&] { matrix* doubles; },
       "multiply: expected one float dtype, got float32 (2, 3) and float64 (2, 3); cast() one"},
      {[&] { exp(ids); }, "exp: expected float32 or float64, got int64 (2); cast() it first"},
      {[&] { where(row, matrix, zeros({2})); },
       "where: shapes (2, 3) and (2) do not broadcast: sizes 3 and 2 differ"},
      {[&] { maximum(row, zeros({2})); },
       "maximum: shapes (3) and (2) do not broadcast: sizes 3 and 2 differ"},
      {[&] { gelu(ids); }, "gelu: expected float32 or float64, got int64 (2); cast() it first"},
      // movement
      {[&] {
         reshape(x, {5, 5});
       },
       "reshape: expected a shape of 24 elements for (2, 3, 4), got (5, 5)"},
      {[&] {
         reshape(x, {-1, 5});
       },
       "reshape: expected a shape of 24 elements for (2, 3, 4), got (-1, 5)"},
      {[&] {
         reshape(x, {-1, -1, 24});
       },
       "reshape: expected sizes of at least 0, got (-1, 24)"},
      {[&] {
         permute(x, {0, 1});
       },
       "permute: expected an order of 3 axes for (2, 3, 4), got (0, 1)"},
      {[&] {
         permute(x, {0, 1, 1});
       },
       "permute: an axis is named twice in 0, 1, 1 of shape (2, 3, 4)"},
      {[&] {
         permute(x, {0, 1, 3});
       },
       "permute: there is no axis 3 in shape (2, 3, 4)"},
      {[&] { transpose(row); }, "transpose: there is no axis -2 in shape (3)"},
      {[&] { slice(x, 3, 0, 1); }, "slice: there is no axis 3 in shape (2, 3, 4)"},
      {[&] { slice(x, 1, 2, 1); },
       "slice: expected 0 ≤ begin ≤ end ≤ 3 and step ≥ 1 for axis 1 of (2, 3, 4), got 2:1:1"},
      {[&] { slice(x, 1, 0, 4); },
       "slice: expected 0 ≤ begin ≤ end ≤ 3 and step ≥ 1 for axis 1 of (2, 3, 4), got 0:4:1"},
      {[&] { slice(x, 1, -4, 2); },
       "slice: expected 0 ≤ begin ≤ end ≤ 3 and step ≥ 1 for axis 1 of (2, 3, 4), got -4:2:1"},
      {[&] { slice(x, 1, 0, 2, 0); },
       "slice: expected 0 ≤ begin ≤ end ≤ 3 and step ≥ 1 for axis 1 of (2, 3, 4), got 0:2:0"},
      {[&] { pad(row, 0, -1, 0); },
       "pad: expected before, after and gap of at least 0 for axis 0 of (3), got -1, 0 and 0"},
      {[&] {
         expand(row, {2, 4});
       },
       "expand: shapes (3) and (2, 4) do not broadcast: sizes 3 and 4 differ"},
      {[&] { expand(matrix, {3}); },
       "expand: expected a shape to which (2, 3) broadcasts, got (3)"},
      {[&] { unsqueeze(row, 2); }, "unsqueeze: expected an axis in [-2, 1] for (3), got 2"},
      {[&] { squeeze(row, 0); }, "squeeze: expected size 1 on axis 0, got (3)"},
      {[&] { concat({}, 0); }, "concat: expected at least one tensor, got none"},
      {[&] {
         concat({x, matrix}, 0);
       },
       "concat: expected float32 (2, 3, 4) but for the size of axis 0, got float32 (2, 3)"},
      {[&] {
         concat({matrix, doubles}, 0);
       },
       "concat: expected float32 (2, 3) but for the size of axis 0, got float64 (2, 3)"},
      {[&] {
         concat({one, one}, 0);
       },
       "concat: there is no axis 0 in shape ()"},
      {[&] { split(x, 2, 1); }, "split: expected a size of axis 1 that 2 divides, got (2, 3, 4)"},
      {[&] { split(x, 0, 1); }, "split: expected a size of axis 1 that 0 divides, got (2, 3, 4)"},
      // reductions
      {[&] { sum(x, {3}); }, "sum: there is no axis 3 in shape (2, 3, 4)"},
      {[&] {
         sum(x, {0, -3});
       },
       "sum: an axis is named twice in 0, -3 of shape (2, 3, 4)"},
      {[&] { max(x, {-4}); }, "max: there is no axis -4 in shape (2, 3, 4)"},
      {[&] { mean(ids); }, "mean: expected float32 or float64, got int64 (2); cast() it first"},
      {[&] { softmax(ids); },
       "softmax: expected float32 or float64, got int64 (2); cast() it first"},
      {[&] {
         zeros({int64_t{1} << 32, int64_t{1} << 32});
       },
       "tensor: expected fewer than 2⁶³ bytes, got shape (4294967296, 4294967296)"},
      {[&] { mean(x, {3}); }, "mean: there is no axis 3 in shape (2, 3, 4)"},
      {[&] { var(x, {3}); }, "var: there is no axis 3 in shape (2, 3, 4)"},
      {[&] { logsumexp(x, {3}); }, "logsumexp: there is no axis 3 in shape (2, 3, 4)"},
      {[&] {
         argmax(zeros({2, 0}), 1);
       },
       "argmax: expected at least one element on axis 1, got (2, 0)"},
      // matrix products
      {[&] { matmul(matrix, row); }, "matmul: expected at least two axes each, got (2, 3) · (3)"},
      {[&] { matmul(matrix, matrix); }, "matmul: inner sizes differ: (2, 3) · (2, 3)"},
      {[&] { matmul(matrix, transpose(doubles)); },
       "matmul: dtypes differ: float32 (2, 3) · float64 (3, 2)"},
      {[&] {
         matmul(x, zeros({3, 4, 2}));
       },
       "matmul: shapes (2) and (3) do not broadcast: sizes 2 and 3 differ"},
      {[&] {
         matmul(zeros({1, 2}, DType::int64), zeros({2, 1}, DType::int64));
       },
       "matmul: expected float32 or float64, got int64 (1, 2); cast() it first"},
      {[&] { linear(matrix, doubles); },
       "linear: dtypes differ: float32 (2, 3) and float64 (2, 3)"},
      {[&] { linear(x, matrix); },
       "linear: expected x (…, in) and a weight (out, in), got (2, 3, 4) · (2, 3)ᵀ"},
      {[&] {
         linear(row, matrix, zeros({4, 2}));
       },
       "linear: (4, 2) would stretch the result (2)"},
      // rows by number
      {[&] { gather(matrix, row); }, "gather: expected int64 indices, got float32 (3)"},
      {[&] { gather(matrix, nine); }, "gather: expected indices in [0, 2), got 9"},
      {[&] { gather(matrix, minus); }, "gather: expected indices in [0, 2), got -1"},
      {[&] { gather(one, ids); }, "gather: expected a table of at least one axis, got a scalar"},
      {[&] { scatter_add(4, nine, matrix); }, "scatter_add: expected indices in [0, 4), got 9"},
      {[&] { scatter_add(4, ids, row); },
       "scatter_add: expected a source whose shape begins with (2), got (3)"},
      {[&] { one_hot(nine, 5); }, "one_hot: expected indices in [0, 5), got 9"},
      // normalisation and losses
      {[&] { softmax(x, 3); }, "softmax: there is no axis 3 in shape (2, 3, 4)"},
      {[&] { softmax(x, -1, Mask::causal(2, 4)); },
       "softmax: shapes (2, 4) and (2, 3, 4) do not broadcast: sizes 2 and 3 differ"},
      {[&] { log_softmax(one); }, "log_softmax: there is no axis -1 in shape ()"},
      {[&] { layer_norm(one); }, "layer_norm: expected at least one axis, got ()"},
      {[&] { layer_norm(matrix, zeros({2})); },
       "layer_norm: of (2, 3) expected weight and bias of shape (3), got (2)"},
      {[&] { cross_entropy(matrix, zeros({3}, DType::int64)); },
       "cross_entropy: expected one target for each row of logits (2, 3), got (3)"},
      {[&] { cross_entropy(matrix, zeros({2})); },
       "cross_entropy: expected int64 targets, got float32 (2)"},
      {[&] { cross_entropy(matrix, nine); },
       "cross_entropy: expected targets in [0, 3), or -100 for rows to ignore, got 9"},
      {[&] { cross_entropy(matrix, ids, {.label_smoothing = 1.5}); },
       "cross_entropy: expected label_smoothing in [0, 1], got 1.5"},
  };
  for (const auto& [call, message] : cases) CHECK(error_of(call) == message);
}
