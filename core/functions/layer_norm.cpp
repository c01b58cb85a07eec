#include "core/functions/layer_norm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/autograd/fused.h"
#include "core/functions/first_run.h"
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

/// How a row is normalised: d · inverse with d = (x − mean − rest) · scale and inverse = 1 /
/// √(variance + epsilon) / scale. `rest` is what rounding left of the mean, where that matters. The
/// scale is a power of two, 1 unless squares, or inverse³, leave the range.
template <class T>
struct Centred {
  T mean, rest, inverse, scale;
};

/// The same of d = x − mean, whose Σ d and Σ d² are given; leaves (x − mean − rest) · scale in d.
template <class T>
Centred<T> finish(const T* x, int64_t n, double epsilon, T mean, T sum, T squares, T* d) {
  const auto& kernels = simd::kernels<T>();
  const T size = static_cast<T>(n);
  T variance = squares / size + static_cast<T>(epsilon), rest = sum / size;
  const T tiny = std::numeric_limits<T>::epsilon() / 4;
  if (std::abs(rest) > tiny * std::sqrt(variance)) {
    kernels.affine(d, 1, -rest, d, n);
    variance = kernels.dot(d, d, n) / size + static_cast<T>(epsilon);
  } else {
    rest = 0;
  }
  constexpr T most = sizeof(T) == sizeof(float) ? T(0x1p50) : T(0x1p500);
  if (variance > 1 / most && variance < most) return {mean, rest, 1 / std::sqrt(variance), 1};
  T largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(x[i]));
  if (!(largest > 0 && std::isfinite(largest))) return {mean, rest, 1 / std::sqrt(variance), 1};
  const int exponent = std::max(std::ilogb(largest), std::numeric_limits<T>::min_exponent);
  const T scale = std::ldexp(T(1), -exponent);
  kernels.affine(x, scale, 0, d, n);
  kernels.centre(d, kernels.sum(d, n) / size, d, n, &sum, &squares);
  kernels.affine(d, 1, -sum / size, d, n);
  const double near = static_cast<double>(kernels.dot(d, d, n) / size),
               offset = epsilon * static_cast<double>(scale) * static_cast<double>(scale);
  return {mean, rest, static_cast<T>(1 / std::sqrt(near + offset)), scale};
}

constexpr int64_t most_rows = 4;  // at a time: one computes while another waits for its sum

/// Centres at most 4 rows, into d.
template <class T>
void centre(const T* x, int64_t rows, int64_t n, double epsilon, T* d, Centred<T>* result) {
  const auto& kernels = simd::kernels<T>();
  T mean[most_rows], sum[most_rows], squares[most_rows];
  for (int64_t i = 0; i < rows; ++i) mean[i] = kernels.sum(x + i * n, n) / static_cast<T>(n);
  for (int64_t i = 0; i < rows; ++i)
    kernels.centre(x + i * n, mean[i], d + i * n, n, &sum[i], &squares[i]);
  for (int64_t i = 0; i < rows; ++i)
    result[i] = finish(x + i * n, n, epsilon, mean[i], sum[i], squares[i], d + i * n);
}

/// As many as stay in the cache.
int64_t rows_at_once(int64_t n) {
  return std::clamp<int64_t>(2048 / std::max<int64_t>(n, 1), 1, most_rows);
}

/// Writes y, and of each row how it was centred, (rows, 4).
void layer_norm_rows(const std::vector<Tensor>& inputs, double epsilon, Tensor& y,
                     Tensor& centred) {
  const Tensor& x = inputs[0];
  dispatch_float("layer_norm", x.dtype(), [&](auto element) {
    using T = decltype(element);
    const T *from = x.data<T>(), *weight = inputs[1].data<T>(), *bias = inputs[2].data<T>();
    T* to = y.mutable_data<T>();
    auto* by = reinterpret_cast<Centred<T>*>(centred.mutable_data<T>());
    const int64_t n = row_size(x), rows = row_count(x), step = rows_at_once(n);
    for_rows((rows + step - 1) / step, step * n, [&](int64_t k) {
      const int64_t first = k * step, count = std::min(step, rows - first);
      centre(from + first * n, count, n, epsilon, to + first * n, by + first);
      for (int64_t i = first; i < first + count; ++i)
        simd::kernels<T>().multiply_add(to + i * n, weight, by[i].inverse, bias, to + i * n, n);
    });
  });
}

std::vector<Gradient> layer_norm_gradients(const Backward& b, const Tensor& centred,
                                           double epsilon) {
  const Tensor &x = b.input(0), &weight = b.input(1), g = contiguous(b.gradient);
  const int64_t n = row_size(x), rows = row_count(x), block = 64;
  const int64_t blocks = (rows + block - 1) / block;
  Tensor dx = Tensor::uninitialised(x.shape(), x.dtype());
  // Of weight and bias, for each block of rows: the same sums for any number of threads.
  Tensor parts = zeros({2, blocks, n}, x.dtype());
  dispatch_float("layer_norm", x.dtype(), [&](auto element) {
    using T = decltype(element);
    const auto& kernels = simd::kernels<T>();
    const auto* all_centred = reinterpret_cast<const Centred<T>*>(centred.data<T>());
    T *all_dx = dx.mutable_data<T>(), *all_parts = parts.mutable_data<T>();
    for_rows(blocks, block * n, [&](int64_t k) {
      T *dw = all_parts + k * n, *db = all_parts + (blocks + k) * n;
      std::vector<T> scaled;
      const int64_t end = std::min(rows, (k + 1) * block), step = rows_at_once(n);
      for (int64_t first = k * block; first < end; first += step) {
        const int64_t count = std::min(step, end - first);
        // With r = 1 / √(variance + epsilon), d = x − mean and u = g · weight:
        // dL/dx = r · (u − mean(u) − d · r² · mean(u · d)), all of it times the scale of d
        const T *from = x.data<T>() + first * n, *gradient = g.data<T>() + first * n,
                *w = weight.data<T>();
        T *out = all_dx + first * n, sum_u[most_rows], sum_ud[most_rows], size = static_cast<T>(n);
        Centred<T> by[most_rows];
        std::copy_n(all_centred + first, count, by);
        if (std::any_of(by, by + count, [](const Centred<T>& row) { return row.scale != 1; })) {
          scaled.resize(static_cast<size_t>(most_rows * n));
          centre(from, count, n, epsilon, scaled.data(), by);
          from = scaled.data();
          for (Centred<T>& row : by) row.mean = row.rest = 0;
        }
        for (int64_t i = 0; i < count; ++i)
          kernels.sum_products(gradient + i * n, w, from + i * n, by[i].mean, by[i].rest, n,
                               &sum_u[i], &sum_ud[i]);
        simd::LayerNormRow<T> row[most_rows];
        for (int64_t i = 0; i < count; ++i) {
          const T r = by[i].inverse;
          row[i] = {r, -r * (sum_u[i] / size), -r * r * r * (sum_ud[i] / size), by[i].mean,
                    by[i].rest};
        }
        kernels.layer_norm_gradients(row, count, gradient, w, from, out, dw, db, n);
        for (int64_t i = 0; i < count; ++i)
          if (by[i].scale != 1) kernels.affine(out + i * n, by[i].scale, 0, out + i * n, n);
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
  // The rule uses what the first run of the op has kept, if it is given the same rows.
  const Tensor kept = Tensor::uninitialised({row_count(rows), 4}, x.dtype());
  const auto one_pass = [=, first = FirstRun(rows)](const std::vector<Tensor>& inputs) {
    Tensor y = Tensor::uninitialised(inputs[0].shape(), inputs[0].dtype());
    Tensor centred = first.has(inputs[0]) ? kept : zeros(kept.shape(), y.dtype());
    layer_norm_rows(inputs, epsilon, y, centred);
    return y;
  };
  return fused(
      {"layer_norm",
       "n · b + c with n = (a − mean(a)) · r, r = 1 / √(variance(a) + ε)",
       {{"r · (u − mean(u) − n · mean(u · n)) with u = g · b", reads("ab")},
        {"Σ g · n", reads("a")},
        {"Σ g"}}},
      {rows, w, offset}, one_pass,
      [=, first = FirstRun(rows)](const Backward& b) {
        if (first.has(b.input(0))) return layer_norm_gradients(b, kept, epsilon);
        Tensor y = Tensor::uninitialised(b.input(0).shape(), b.input(0).dtype());
        Tensor centred = zeros(kept.shape(), y.dtype());
        layer_norm_rows(b.inputs(), epsilon, y, centred);
        return layer_norm_gradients(b, centred, epsilon);
      },
      [epsilon](const auto& inputs) { return composed_layer_norm(inputs, epsilon); },
      [=] {
        return Attributes{{"axis", -1}, {"epsilon", epsilon}};
      });
}

}  // namespace gradus
