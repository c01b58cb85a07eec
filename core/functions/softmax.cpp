#include "core/functions/softmax.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "core/autograd/fused.h"
#include "core/functions/rows.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"

namespace gradus {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// The same in other ops. The shift by the largest cancels out, also in the derivatives.
struct ComposedExponentials {
  Tensor shifted, e, total;
  ComposedExponentials(const Tensor& x, int axis) {
    const Tensor largest = max(x, {axis}, keepdims).detach();
    shifted = x - where(equal(largest, -infinity), 0, largest);
    e = exp(shifted);
    total = sum(e, {axis}, keepdims);
    total = where(equal(total, 0), 1, total);
  }
};

/// An op along the last axis as one along another.
template <class Op>
Tensor along(const Tensor& x, int axis, const Op& op) {
  return transpose(op(contiguous(transpose(x, axis, -1))), axis, -1);
}

}  // namespace

Tensor softmax(const Tensor& x, int axis, const Mask& mask) {
  check_float("softmax", x);
  axis = checked_axis("softmax", axis, x.shape());
  check_broadcast("softmax", mask, x.shape());
  const Tensor masked = contiguous(masked_fill(x, mask, -infinity));
  if (axis != x.rank() - 1)
    return along(masked, axis, [](const Tensor& rows) { return softmax(rows); });
  auto one_pass = [](const std::vector<Tensor>& inputs) {
    const Tensor& x = inputs[0];
    Tensor y = Tensor::uninitialised(x.shape(), x.dtype());
    dispatch_float("softmax", x.dtype(), [&](auto element) {
      using T = decltype(element);
      const int64_t n = row_size(x);
      for_rows(row_count(x), n, [&, from = x.data<T>(), to = y.mutable_data<T>()](int64_t i) {
        const Exponentials<T> row(from + i * n, to + i * n, n);
        simd::kernels<T>().affine(to + i * n, 1 / row.total, 0, to + i * n, n);
      });
    });
    return y;
  };
  auto rule = [](const Backward& b) {
    const Tensor& y = b.output();
    if (b.is_recorded())
      return std::vector<Gradient>{y * (b.gradient - sum(b.gradient * y, {-1}, keepdims))};
    const Tensor g = contiguous(b.gradient);
    Tensor dx = Tensor::uninitialised(g.shape(), g.dtype());
    dispatch_float("softmax", g.dtype(), [&](auto element) {
      using T = decltype(element);
      const auto& kernels = simd::kernels<T>();
      const int64_t n = row_size(g);
      for_rows(row_count(g), n, [&, to = dx.mutable_data<T>()](int64_t i) {
        const T *p = y.data<T>() + i * n, *gradient = g.data<T>() + i * n;
        kernels.shifted_product(gradient, -kernels.dot(gradient, p, n), p, to + i * n, n);
      });
    });
    return std::vector<Gradient>{dx};
  };
  const auto forward = [=](const std::vector<Tensor>& inputs) {
    if (!NoFusion::in_force()) return one_pass(inputs);
    const ComposedExponentials row(inputs[0], -1);
    return row.e / row.total;
  };
  if (NoFusion::in_force()) return forward({masked});
  return record({"softmax", "eˣ / Σ eˣ", {{"y · (g − Σ g · y)", reads("y")}}}, forward({masked}),
                {masked}, rule, forward, [] {
                  return Attributes{{"axis", -1}};
                });
}

Tensor log_softmax(const Tensor& x, int axis) {
  check_float("log_softmax", x);
  axis = checked_axis("log_softmax", axis, x.shape());
  if (axis != x.rank() - 1)
    return along(x, axis, [](const Tensor& rows) { return log_softmax(rows); });
  const Tensor rows = contiguous(x);
  auto one_pass = [](const std::vector<Tensor>& inputs) {
    const Tensor& x = inputs[0];
    Tensor y = Tensor::uninitialised(x.shape(), x.dtype());
    dispatch_float("log_softmax", x.dtype(), [&](auto element) {
      using T = decltype(element);
      const int64_t n = row_size(x);
      for_rows(row_count(x), n, [&, from = x.data<T>(), to = y.mutable_data<T>()](int64_t i) {
        const Exponentials<T> row(from + i * n, to + i * n, n);
        const auto affine = simd::kernels<T>().affine;
        affine(from + i * n, 1, -row.largest, to + i * n, n);
        affine(to + i * n, 1, -std::log(row.total), to + i * n, n);
      });
    });
    return y;
  };
  auto rule = [](const Backward& b) {
    const Tensor& y = b.output();
    if (b.is_recorded())
      return std::vector<Gradient>{b.gradient - exp(y) * sum(b.gradient, {-1}, keepdims)};
    const Tensor g = contiguous(b.gradient);
    Tensor dx = Tensor::uninitialised(g.shape(), g.dtype());
    dispatch_float("log_softmax", g.dtype(), [&](auto element) {
      using T = decltype(element);
      const auto& kernels = simd::kernels<T>();
      const int64_t n = row_size(g);
      for_rows(row_count(g), n, [&, to = dx.mutable_data<T>()](int64_t i) {
        T* out = to + i * n;
        kernels.exp_shifted(y.data<T>() + i * n, 0, out, n);
        kernels.affine(out, -kernels.sum(g.data<T>() + i * n, n), 0, out, n);
        kernels.add_into(g.data<T>() + i * n, out, n);
      });
    });
    return std::vector<Gradient>{dx};
  };
  const auto forward = [=](const std::vector<Tensor>& inputs) {
    if (!NoFusion::in_force()) return one_pass(inputs);
    const ComposedExponentials row(inputs[0], -1);
    return row.shifted - log(row.total);
  };
  if (NoFusion::in_force()) return forward({rows});
  return record({"log_softmax", "x − log Σ eˣ", {{"g − eʸ · Σ g", reads("y")}}}, forward({rows}),
                {rows}, rule, forward, [] {
                  return Attributes{{"axis", -1}};
                });
}

}  // namespace gradus
