#include "core/ops/normalise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/autograd/fused.h"
#include "core/kernels/parallel.h"
#include "core/kernels/simd.h"
#include "core/ops/ops.h"
#include "core/tensor/error.h"
#include "core/tensor/random.h"
#include "core/trace/scope.h"

namespace gradus {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Calls `work(i)` for each row of n elements, on all threads where that is worth it.
template <class Work>
void for_rows(int64_t rows, int64_t n, const Work& work) {
  parallel_for(rows, std::max<int64_t>(1, 16384 / std::max<int64_t>(n, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) work(i);
               });
}

int64_t row_size(const Tensor& x) { return x.shape().back(); }
int64_t row_count(const Tensor& x) { return row_size(x) == 0 ? 0 : x.numel() / row_size(x); }

/// e = exp(x − largest) and its sum, 1 for a row of −∞ (whose e is 0), so that it can divide.
template <class T>
struct Exponentials {
  T largest, total;
  Exponentials(const T* x, T* e, int64_t n) {
    const auto& kernels = simd::kernels<T>();
    largest = kernels.max(x, n);
    if (largest == -std::numeric_limits<T>::infinity()) largest = 0;
    kernels.exp_shifted(x, largest, e, n);
    total = kernels.sum(e, n);
    if (total == 0) total = 1;
  }
};

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

/// A op along the last axis as one along another.
template <class Op>
Tensor along(const Tensor& x, int axis, const Op& op) {
  return transpose(op(contiguous(transpose(x, axis, -1))), axis, -1);
}

}  // namespace

Tensor softmax(const Tensor& x, int axis, const Mask& mask) {
  check_float("softmax", x);
  axis = checked_axis("softmax", axis, x.shape());
  if (mask.defined() && broadcast("softmax", mask.shape(), x.shape()) != x.shape())
    throw Error(fmt::format("softmax: a mask of {} does not broadcast to {}", mask.shape().text(),
                            x.description()));
  const Tensor masked = contiguous(masked_fill(x, mask, -infinity));
  if (axis != x.rank() - 1)
    return along(masked, axis, [](const Tensor& rows) { return softmax(rows); });
  auto one_pass = [](const std::vector<Tensor>& inputs) {
    const Tensor &x = inputs[0], y = Tensor::uninitialised(x.shape(), x.dtype());
    dispatch_float("softmax", x.dtype(), [&](auto element) {
      using T = decltype(element);
      const int64_t n = row_size(x);
      for_rows(row_count(x), n, [&, from = x.data<T>(), to = y.data<T>()](int64_t i) {
        const Exponentials<T> row(from + i * n, to + i * n, n);
        simd::kernels<T>().affine(to + i * n, 1 / row.total, 0, to + i * n, n);
      });
    });
    return y;
  };
  auto rule = [](const Backward& b) {
    const Tensor g = contiguous(b.gradient), dx = Tensor::uninitialised(g.shape(), g.dtype());
    dispatch_float("softmax", g.dtype(), [&](auto element) {
      using T = decltype(element);
      const auto& kernels = simd::kernels<T>();
      const auto multiply = kernels.functions[scalar::index_of<scalar::Multiply>()];
      const int64_t n = row_size(g);
      for_rows(row_count(g), n, [&](int64_t i) {
        const T *y = b.output.data<T>() + i * n, *gradient = g.data<T>() + i * n;
        T* out = dx.data<T>() + i * n;
        kernels.affine(gradient, 1, -kernels.dot(gradient, y, n), out, n);
        multiply(out, y, y, out, n);
      });
    });
    return std::vector<Gradient>{dx};
  };
  return fused({"softmax", "eˣ / Σ eˣ", "dL/dx = y · (g − Σ g · y)"}, {masked}, one_pass, rule,
               [](const auto& inputs) {
                 const ComposedExponentials row(inputs[0], -1);
                 return row.e / row.total;
               });
}

Tensor log_softmax(const Tensor& x, int axis) {
  check_float("log_softmax", x);
  axis = checked_axis("log_softmax", axis, x.shape());
  if (axis != x.rank() - 1)
    return along(x, axis, [](const Tensor& rows) { return log_softmax(rows); });
  const Tensor rows = contiguous(x);
  auto one_pass = [](const std::vector<Tensor>& inputs) {
    const Tensor &x = inputs[0], y = Tensor::uninitialised(x.shape(), x.dtype());
    dispatch_float("log_softmax", x.dtype(), [&](auto element) {
      using T = decltype(element);
      const int64_t n = row_size(x);
      for_rows(row_count(x), n, [&, from = x.data<T>(), to = y.data<T>()](int64_t i) {
        const Exponentials<T> row(from + i * n, to + i * n, n);
        const auto affine = simd::kernels<T>().affine;
        affine(from + i * n, 1, -row.largest, to + i * n, n);
        affine(to + i * n, 1, -std::log(row.total), to + i * n, n);
      });
    });
    return y;
  };
  auto rule = [](const Backward& b) {
    const Tensor g = contiguous(b.gradient), dx = Tensor::uninitialised(g.shape(), g.dtype());
    dispatch_float("log_softmax", g.dtype(), [&](auto element) {
      using T = decltype(element);
      const auto& kernels = simd::kernels<T>();
      const int64_t n = row_size(g);
      for_rows(row_count(g), n, [&](int64_t i) {
        T* out = dx.data<T>() + i * n;
        kernels.exp_shifted(b.output.data<T>() + i * n, 0, out, n);
        kernels.affine(out, -kernels.sum(g.data<T>() + i * n, n), 0, out, n);
        kernels.add_into(g.data<T>() + i * n, out, n);
      });
    });
    return std::vector<Gradient>{dx};
  };
  return fused({"log_softmax", "x − log Σ eˣ", "dL/dx = g − eʸ · Σ g"}, {rows}, one_pass, rule,
               [](const auto& inputs) {
                 const ComposedExponentials row(inputs[0], -1);
                 return row.shifted - log(row.total);
               });
}

namespace {

Tensor composed_layer_norm(const std::vector<Tensor>& inputs, double epsilon) {
  const Tensor &x = inputs[0], &weight = inputs[1], &bias = inputs[2];
  const Tensor deviation = x - mean(x, {-1}, keepdims);
  const Tensor variance = mean(deviation * deviation, {-1}, keepdims);
  return deviation / sqrt(variance + epsilon) * weight + bias;
}

/// x − mean of one row, into `out`; returns 1 / √(variance + epsilon).
template <class T>
T centre(const T* x, int64_t n, double epsilon, T* out) {
  const auto& kernels = simd::kernels<T>();
  kernels.affine(x, 1, -kernels.sum(x, n) / static_cast<T>(n), out, n);
  return 1 / std::sqrt(kernels.dot(out, out, n) / static_cast<T>(n) + static_cast<T>(epsilon));
}

std::vector<Gradient> layer_norm_gradients(const Backward& b, double epsilon) {
  const Tensor &x = b.inputs[0], &weight = b.inputs[1], g = contiguous(b.gradient);
  const int64_t n = row_size(x), rows = row_count(x), block = 64;
  const int64_t blocks = (rows + block - 1) / block;
  const Tensor dx = Tensor::uninitialised(x.shape(), x.dtype());
  // Of weight and bias, for each block of rows: the same sums for any number of threads.
  const Tensor parts = zeros({2, blocks, n}, x.dtype());
  dispatch_float("layer_norm", x.dtype(), [&](auto element) {
    using T = decltype(element);
    const auto& kernels = simd::kernels<T>();
    const auto multiply = kernels.functions[scalar::index_of<scalar::Multiply>()];
    for_rows(blocks, block * n, [&](int64_t k) {
      std::vector<T> centred(static_cast<size_t>(n));
      T *dw = parts.data<T>() + k * n, *db = parts.data<T>() + (blocks + k) * n;
      for (int64_t i = k * block; i < std::min(rows, (k + 1) * block); ++i) {
        // With r = 1 / √(variance + epsilon), d = x − mean and u = g · weight:
        // dL/dx = r · (u − mean(u) − d · r² · mean(u · d))
        T *d = centred.data(), *out = dx.data<T>() + i * n;
        const T *gradient = g.data<T>() + i * n, size = static_cast<T>(n);
        const T r = centre(x.data<T>() + i * n, n, epsilon, d);
        multiply(gradient, weight.data<T>(), weight.data<T>(), out, n);
        const T mean_u = kernels.sum(out, n) / size, mean_ud = kernels.dot(out, d, n) / size;
        kernels.affine(out, r, -r * mean_u, out, n);
        kernels.add_scaled(d, -r * r * r * mean_ud, out, n);
        kernels.multiply_add(gradient, d, r, dw, dw, n);
        kernels.add_into(gradient, db, n);
      }
    });
  });
  return {dx, sum(select_index(parts, 0, 0), {0}), sum(select_index(parts, 0, 1), {0})};
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon) {
  const Scope scope("layer_norm");
  check_float("layer_norm", x);
  if (x.rank() < 1)
    throw Error(fmt::format("layer_norm: wants at least one axis, was given {}", x.description()));
  for (const Tensor* parameter : {&weight, &bias})
    if (parameter->defined() && parameter->shape() != Shape{x.shape().back()})
      throw Error(fmt::format("layer_norm: {} wants weight and bias of ({}), was given {}",
                              x.description(), x.shape().back(), parameter->description()));
  const Tensor rows = contiguous(x);
  const Tensor w = contiguous(weight.defined() ? weight : ones({x.shape().back()}, x.dtype()));
  const Tensor offset = contiguous(bias.defined() ? bias : zeros({x.shape().back()}, x.dtype()));
  auto one_pass = [epsilon](const std::vector<Tensor>& inputs) {
    const Tensor &x = inputs[0], &w = inputs[1], &offset = inputs[2];
    const Tensor y = Tensor::uninitialised(x.shape(), x.dtype());
    dispatch_float("layer_norm", x.dtype(), [&](auto element) {
      using T = decltype(element);
      const int64_t n = row_size(x);
      for_rows(row_count(x), n, [&, from = x.data<T>(), to = y.data<T>()](int64_t i) {
        T* out = to + i * n;
        const T inverse = centre(from + i * n, n, epsilon, out);
        simd::kernels<T>().multiply_add(out, w.data<T>(), inverse, offset.data<T>(), out, n);
      });
    });
    return y;
  };
  return fused(
      {"layer_norm", "(a − mean(a)) / √(variance(a) + ε) · b + c",
       "dL/da = r · (u − mean(u) − n · mean(u · n)) with r = 1 / √(variance(a) + ε), "
       "n = (a − mean(a)) · r, u = g · b; dL/db = Σ g · n, dL/dc = Σ g"},
      {rows, w, offset}, one_pass,
      [epsilon](const Backward& b) { return layer_norm_gradients(b, epsilon); },
      [epsilon](const auto& inputs) { return composed_layer_norm(inputs, epsilon); });
}

namespace {

constexpr int64_t ignored = -1;

/// The losses of all rows. targets[i] is a class, or `ignored`.
Tensor composed_cross_entropy(const Tensor& logits, const std::vector<int64_t>& targets,
                              double smoothing) {
  const Shape shape = logits.shape().without(logits.rank() - 1);
  std::vector<int64_t> picked = targets;
  std::vector<float> counted(targets.size(), 1);
  for (size_t i = 0; i < targets.size(); ++i)
    if (targets[i] == ignored) picked[i] = 0, counted[i] = 0;
  const Tensor log_p = log_softmax(logits);
  Tensor losses = -pick(log_p, tensor(picked, shape));
  if (smoothing > 0) losses = losses * (1 - smoothing) - mean(log_p, {-1}) * smoothing;
  return where(cast(tensor(counted, shape), logits.dtype()), losses, 0);
}

/// The losses of all rows.
Tensor cross_entropy_rows(const Tensor& logits, const std::vector<int64_t>& targets,
                          double smoothing) {
  const int64_t n = row_size(logits), rows = static_cast<int64_t>(targets.size());
  const Tensor losses =
      Tensor::uninitialised(logits.shape().without(logits.rank() - 1), logits.dtype());
  dispatch_float("cross_entropy", logits.dtype(), [&](auto element) {
    using T = decltype(element);
    for_rows(rows, n, [&](int64_t i) {
      const T* x = logits.data<T>() + i * n;
      T& loss = losses.data<T>()[i];
      const int64_t target = targets[static_cast<size_t>(i)];
      loss = 0;
      if (target == ignored) return;
      std::vector<T> e(static_cast<size_t>(n));
      const Exponentials<T> row(x, e.data(), n);
      loss = std::log(row.total) - (x[target] - row.largest);
      if (smoothing > 0) {
        const T mean = simd::kernels<T>().sum(x, n) / static_cast<T>(n);
        const T even = std::log(row.total) - (mean - row.largest);
        loss = static_cast<T>(1 - smoothing) * loss + static_cast<T>(smoothing) * even;
      }
    });
  });
  return losses;
}

Tensor cross_entropy_gradient(const Backward& b, const std::vector<int64_t>& targets,
                              double smoothing) {
  const Tensor &logits = b.inputs[0], g = contiguous(b.gradient);
  const Tensor dx = Tensor::uninitialised(logits.shape(), logits.dtype());
  const int64_t n = row_size(logits);
  dispatch_float("cross_entropy", logits.dtype(), [&](auto element) {
    using T = decltype(element);
    const auto& kernels = simd::kernels<T>();
    for_rows(static_cast<int64_t>(targets.size()), n, [&](int64_t i) {
      T* out = dx.data<T>() + i * n;
      const int64_t target = targets[static_cast<size_t>(i)];
      if (target == ignored) return std::fill_n(out, n, T(0)), void();
      const T *x = logits.data<T>() + i * n, weight = g.data<T>()[i];
      // The loss tells log Σ eˣ, by which softmax shifts.
      T shift = b.output.data<T>()[i] + static_cast<T>(1 - smoothing) * x[target];
      if (smoothing > 0) shift += static_cast<T>(smoothing) * kernels.sum(x, n) / static_cast<T>(n);
      if (!std::isfinite(shift)) {
        const Exponentials<T> row(x, out, n);
        shift = row.largest + std::log(row.total);
      }
      kernels.exp_shifted(x, shift, out, n);
      kernels.affine(out, weight, -weight * static_cast<T>(smoothing) / static_cast<T>(n), out, n);
      out[target] -= weight * static_cast<T>(1 - smoothing);
    });
  });
  return dx;
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& targets,
                     const CrossEntropyOptions& options) {
  const Scope scope("cross_entropy");
  check_float("cross_entropy", logits);
  const double smoothing = options.label_smoothing;
  if (logits.rank() < 1 || logits.shape().without(logits.rank() - 1) != targets.shape())
    throw Error(fmt::format("cross_entropy: logits {} want one target a row, were given {}",
                            logits.description(), targets.description()));
  if (smoothing < 0 || smoothing > 1)
    throw Error(fmt::format("cross_entropy: label smoothing {} is outside [0, 1]", smoothing));
  if (targets.dtype() != DType::int64)
    throw Error(fmt::format("cross_entropy: wants int64 targets, was given {} {}",
                            name_of(targets.dtype()), targets.description()));
  std::vector<int64_t> ids = targets.to_vector<int64_t>();
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] == options.ignored_class)
      ids[i] = ignored;
    else if (ids[i] < 0 || ids[i] >= logits.shape().back())
      throw Error(
          fmt::format("cross_entropy: target {} is outside [0, {}) and not the ignored class {}",
                      ids[i], logits.shape().back(), options.ignored_class));
  }
  const auto counted = std::count_if(ids.begin(), ids.end(), [](auto id) { return id != ignored; });
  const Tensor rows = contiguous(logits);
  const auto shared_ids = std::make_shared<const std::vector<int64_t>>(std::move(ids));
  const Tensor losses = fused(
      {"cross_entropy", "−Σ target · log softmax(x)", "dL/dx = (softmax(x) − target) · g"}, {rows},
      [=](const auto& x) { return cross_entropy_rows(x[0], *shared_ids, smoothing); },
      [=](const Backward& b) {
        return std::vector<Gradient>{cross_entropy_gradient(b, *shared_ids, smoothing)};
      },
      [=](const auto& x) { return composed_cross_entropy(x[0], *shared_ids, smoothing); });
  if (options.reduction == Reduction::none) return losses;
  if (options.reduction == Reduction::sum) return sum(losses);
  return sum(losses) / static_cast<double>(std::max<int64_t>(1, counted));
}

Tensor dropout(const Tensor& x, double rate, Generator* generator) {
  const Scope scope("dropout");
  check_float("dropout", x);
  if (rate < 0 || rate >= 1)
    throw Error(fmt::format("dropout: wants a rate in [0, 1), was given {}", rate));
  if (!generator || rate == 0) return x;
  const Tensor keep = greater_equal(random_uniform(x.shape(), 0, 1, *generator, x.dtype()), rate);
  return x * (keep * (1 / (1 - rate)));
}

}  // namespace gradus
