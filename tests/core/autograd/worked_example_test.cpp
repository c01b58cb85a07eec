#include <doctest/doctest.h>

#include "core/ops/gradient_check.h"
#include "core/ops/ops.h"
#include "core/tensor/threads.h"

// The worked example of core/README.md: a primitive op is one block of code, and one row of a
// table tests it.
namespace gradus {

/// Running sums along the last axis, or from its end when `reverse`: yᵢ = Σ_{j ≤ i} xⱼ.
/// dL/dx = cumulative_sum(g) the other way round. Throws Error for a scalar.
Tensor cumulative_sum(const Tensor& x, bool reverse = false) {
  const int axis = checked_axis("cumulative_sum", -1, x.shape());
  Tensor y = Tensor::uninitialised(x.shape(), x.dtype());
  y.assign(x);
  dispatch_float("cumulative_sum", x.dtype(), [&](auto element) {
    auto* values = y.mutable_data<decltype(element)>();
    const int64_t n = x.shape()[axis], rows = n == 0 ? 0 : x.numel() / n;
    parallel_for(rows, 1024, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        for (int64_t i = 1; i < n; ++i) {
          const int64_t at = row * n + (reverse ? n - 1 - i : i);
          values[at] += values[reverse ? at + 1 : at - 1];
        }
    });
  });
  return record(
      {"cumulative_sum", "Σ x up to each place", {{"Σ g from each place on"}}}, y, {x},
      [reverse](const Backward& b) {
        return std::vector<Gradient>{cumulative_sum(b.gradient, !reverse)};
      },
      [reverse](const auto& inputs) { return cumulative_sum(inputs[0], reverse); },
      [=] {
        return Attributes{{"axis", axis}, {"reverse", int64_t{reverse}}};
      });
}

}  // namespace gradus

using namespace gradus;

TEST_CASE("the notes' new op is differentiable to second order after one block and one row") {
  const struct {
    const char* op;
    Shape input;
    TensorFunction function;
  } rows[] = {
      {"cumulative_sum", {2, 5}, [](auto& x) { return cumulative_sum(x[0]) * x[0]; }},
      {"cumulative_sum, reverse",
       {2, 5},
       [](auto& x) { return cumulative_sum(x[0], true) * x[0]; }},
  };
  for (const auto& row : rows) {
    CAPTURE(row.op);
    const std::vector<Tensor> inputs{irregular(row.input, 0)};
    CHECK(first_order_mismatch(row.function, inputs).tolerances <= 1);
    CHECK(second_order_mismatch(row.function, inputs).tolerances <= 1);
  }
  CHECK(cumulative_sum(tensor({{1, 2, 3}, {4, 5, 6}})).to_vector<float>() ==
        std::vector<float>{1, 3, 6, 4, 9, 15});
}
