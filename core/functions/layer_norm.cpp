#include "core/functions/layer_norm.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/autograd/fused.h"
#include "core/functions/near_one.h"
#include "core/functions/rows.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"

namespace gradus {

namespace {

Tensor composed_layer_norm(const std::vector<Tensor>& inputs, double epsilon) {
  const Tensor &x = inputs[0], &weight = inputs[1], &bias = inputs[2];
  Tensor deviation = x - mean(x, {-1}, keepdims);
  deviation = deviation - mean(deviation.detach(), {-1}, keepdims);  // what rounding left
  Tensor variance = mean(deviation * deviation, {-1}, keepdims) + epsilon;
  if (!squares_fit(variance)) {
    const Tensor k = near_one(x, {-1});
    deviation = deviation * k;
    variance = mean(deviation * deviation, {-1}, keepdims) + k * epsilon * k;
  }
  return deviation / sqrt(variance) * weight + bias;
}

/// x − mean of one row times `scale`, a power of two, into `out`; returns 1 / √(variance + epsilon)
/// / scale. The scale is 1 unless squares, or the third power of what is returned, leave the range.
template <class T>
struct Centred {
  T inverse, scale = 1;
};
template <class T>
Centred<T> centre(const T* x, int64_t n, double epsilon, T* out) {
  const auto& kernels = simd::kernels<T>();
  const T size = static_cast<T>(n), mean = kernels.sum(x, n) / size;
  T sum, squares;
  kernels.centre(x, mean, out, n, &sum, &squares);
  T variance = squares / size + static_cast<T>(epsilon);
  // The mean was rounded: where it matters, what it left is taken out as well.
  const T rest = sum / size, tiny = std::numeric_limits<T>::epsilon() / 4;
  if (std::abs(rest) > tiny * std::sqrt(variance)) {
    kernels.affine(out, 1, -rest, out, n);
    variance = kernels.dot(out, out, n) / size + static_cast<T>(epsilon);
  }
  constexpr T most = sizeof(T) == sizeof(float) ? T(0x1p50) : T(0x1p500);
  if (variance > 1 / most && variance < most) return {1 / std::sqrt(variance)};
  T largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(x[i]));
  if (!(largest > 0 && std::isfinite(largest))) return {1 / std::sqrt(variance)};
  const int exponent = std::max(std::ilogb(largest), std::numeric_limits<T>::min_exponent);
  const T scale = std::ldexp(T(1), -exponent);
  kernels.affine(x, scale, 0, out, n);
  kernels.centre(out, kernels.sum(out, n) / size, out, n, &sum, &squares);
  kernels.affine(out, 1, -sum / size, out, n);
  const double near = static_cast<double>(kernels.dot(out, out, n) / size),
               offset = epsilon * static_cast<double>(scale) * static_cast<double>(scale);
  return {static_cast<T>(1 / std::sqrt(near + offset)), scale};
}

std::vector<Gradient> layer_norm_gradients(const Backward& b, double epsilon) {
  const Tensor &x = b.input(0), &weight = b.input(1), g = contiguous(b.gradient);
  const int64_t n = row_size(x), rows = row_count(x), block = 64;
  const int64_t blocks = (rows + block - 1) / block;
  Tensor dx = Tensor::uninitialised(x.shape(), x.dtype());
  // Of weight and bias, for each block of rows: the same sums for any number of threads.
  Tensor parts = zeros({2, blocks, n}, x.dtype());
  dispatch_float("layer_norm", x.dtype(), [&](auto element) {
    using T = decltype(element);
    const auto& kernels = simd::kernels<T>();
    T *all_dx = dx.mutable_data<T>(), *all_parts = parts.mutable_data<T>();
    for_rows(blocks, block * n, [&](int64_t k) {
      std::vector<T> centred(static_cast<size_t>(n));
      T *dw = all_parts + k * n, *db = all_parts + (blocks + k) * n;
      for (int64_t i = k * block; i < std::min(rows, (k + 1) * block); ++i) {
        // With r = 1 / √(variance + epsilon), d = x − mean and u = g · weight:
        // dL/dx = r · (u − mean(u) − d · r² · mean(u · d)), all of it times the scale of d
        T *d = centred.data(), *out = all_dx + i * n;
        const T *gradient = g.data<T>() + i * n, *w = weight.data<T>(), size = static_cast<T>(n);
        const auto [r, scale] = centre(x.data<T>() + i * n, n, epsilon, d);
        T sum_u = 0, sum_ud = 0;
        kernels.sum_products(gradient, w, d, n, &sum_u, &sum_ud);
        kernels.layer_norm_gradients(r, -r * (sum_u / size), -r * r * r * (sum_ud / size), gradient,
                                     w, d, out, dw, db, n);
        if (scale != 1) kernels.affine(out, scale, 0, out, n);
      }
    });
  });
  return {dx, sum(parts[0], {0}), sum(parts[1], {0})};
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon) {
  check_float("layer_norm", x);
  if (x.rank() < 1)
    throw Error(fmt::format("layer_norm: expected at least one axis, got {}", x.description()));
  for (const Tensor* parameter : {&weight, &bias})
    if (parameter->defined() && parameter->shape() != Shape{x.shape().back()})
      throw Error(fmt::format("layer_norm: of {} expected weight and bias of shape ({}), got {}",
                              x.description(), x.shape().back(), parameter->description()));
  const Tensor rows = contiguous(x);
  const Tensor w = contiguous(weight.defined() ? weight : ones({x.shape().back()}, x.dtype()));
  const Tensor offset = contiguous(bias.defined() ? bias : zeros({x.shape().back()}, x.dtype()));
  auto one_pass = [epsilon](const std::vector<Tensor>& inputs) {
    const Tensor &x = inputs[0], &w = inputs[1], &offset = inputs[2];
    Tensor y = Tensor::uninitialised(x.shape(), x.dtype());
    dispatch_float("layer_norm", x.dtype(), [&](auto element) {
      using T = decltype(element);
      const int64_t n = row_size(x);
      for_rows(row_count(x), n, [&, from = x.data<T>(), to = y.mutable_data<T>()](int64_t i) {
        T* out = to + i * n;
        const T inverse = centre(from + i * n, n, epsilon, out).inverse;
        simd::kernels<T>().multiply_add(out, w.data<T>(), inverse, offset.data<T>(), out, n);
      });
    });
    return y;
  };
  return fused(
      {"layer_norm",
       "n · b + c with n = (a − mean(a)) · r, r = 1 / √(variance(a) + ε)",
       {{"r · (u − mean(u) − n · mean(u · n)) with u = g · b", reads("ab")},
        {"Σ g · n", reads("a")},
        {"Σ g"}}},
      {rows, w, offset}, one_pass,
      [epsilon](const Backward& b) { return layer_norm_gradients(b, epsilon); },
      [epsilon](const auto& inputs) { return composed_layer_norm(inputs, epsilon); },
      [=] {
        return Attributes{{"axis", -1}, {"epsilon", epsilon}};
      });
}

}  // namespace gradus
