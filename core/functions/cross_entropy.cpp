#include "core/functions/cross_entropy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "core/autograd/fused.h"
#include "core/functions/index.h"
#include "core/functions/rows.h"
#include "core/functions/softmax.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"

namespace gradus {

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
  const Tensor counts = cast(tensor(counted, shape), logits.dtype());
  const bool all_count = std::ranges::find(targets, ignored) == targets.end();
  // Ignored logits may be NaN.
  const Tensor log_p = log_softmax(all_count ? logits : where(unsqueeze(counts, -1), logits, 0));
  Tensor losses = -squeeze(take_along_axis(log_p, unsqueeze(tensor(picked, shape), -1), -1), -1);
  if (smoothing > 0) {
    const double n = static_cast<double>(row_size(logits));
    const Tensor even = -sum(log_p / n, {-1});
    losses = smoothing == 1 ? even : losses * (1 - smoothing) + even * smoothing;
  }
  return where(counts, losses, 0);
}

/// The mean of x − largest, whose sum may be too large for T. Overwrites e.
template <class T>
T mean_below(const T* x, int64_t n, T largest, T* e) {
  const auto& kernels = simd::kernels<T>();
  kernels.affine(x, 1, -largest, e, n);
  const T total = kernels.sum(e, n), size = static_cast<T>(n);
  if (std::isfinite(total)) return total / size;
  kernels.affine(x, 1 / size, -largest / size, e, n);
  return kernels.sum(e, n);
}

/// The losses of all rows.
Tensor cross_entropy_rows(const Tensor& logits, const std::vector<int64_t>& targets,
                          double smoothing) {
  const int64_t n = row_size(logits), rows = static_cast<int64_t>(targets.size());
  Tensor losses = Tensor::uninitialised(logits.shape().without(logits.rank() - 1), logits.dtype());
  dispatch_float("cross_entropy", logits.dtype(), [&](auto element) {
    using T = decltype(element);
    for_rows(rows, n, [&, all = losses.mutable_data<T>()](int64_t i) {
      const T* x = logits.data<T>() + i * n;
      T& loss = all[i];
      const int64_t target = targets[static_cast<size_t>(i)];
      loss = 0;
      if (target == ignored) return;
      std::vector<T> e(static_cast<size_t>(n));
      const Exponentials<T> row(x, e.data(), n);
      loss = std::log(row.total) - (x[target] - row.largest);
      if (smoothing > 0) {
        const T even = std::log(row.total) - mean_below(x, n, row.largest, e.data());
        // Not 0 · ∞ where the target's logit is −∞ and does not count.
        loss = smoothing == 1
                   ? even
                   : static_cast<T>(1 - smoothing) * loss + static_cast<T>(smoothing) * even;
      }
    });
  });
  return losses;
}

Tensor cross_entropy_gradient(const Backward& b, const std::vector<int64_t>& targets,
                              double smoothing) {
  const Tensor &logits = b.input(0), g = contiguous(b.gradient);
  Tensor dx = b.room_for_gradient(0);
  const int64_t n = row_size(logits);
  dispatch_float("cross_entropy", logits.dtype(), [&](auto element) {
    using T = decltype(element);
    const auto& kernels = simd::kernels<T>();
    for_rows(static_cast<int64_t>(targets.size()), n, [&, all = dx.mutable_data<T>()](int64_t i) {
      T* out = all + i * n;
      const int64_t target = targets[static_cast<size_t>(i)];
      if (target == ignored) return std::fill_n(out, n, T(0)), void();
      const T weight = g.data<T>()[i];
      const Exponentials<T> row(logits.data<T>() + i * n, out, n);
      kernels.affine(out, weight / row.total,
                     -weight * static_cast<T>(smoothing) / static_cast<T>(n), out, n);
      out[target] -= weight * static_cast<T>(1 - smoothing);
    });
  });
  return dx;
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& targets,
                     const CrossEntropyOptions& options) {
  check_float("cross_entropy", logits);
  const double smoothing = options.label_smoothing;
  if (logits.rank() < 1 || logits.shape().without(logits.rank() - 1) != targets.shape())
    throw Error(fmt::format("cross_entropy: expected one target for each row of logits {}, got {}",
                            logits.description(), targets.description()));
  if (!(smoothing >= 0 && smoothing <= 1))
    throw Error(
        fmt::format("cross_entropy: expected label_smoothing in [0, 1], got {}", smoothing));
  if (targets.dtype() != DType::int64)
    throw Error(fmt::format("cross_entropy: expected int64 targets, got {} {}",
                            name_of(targets.dtype()), targets.description()));
  std::vector<int64_t> ids = targets.to_vector<int64_t>();
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] == options.ignored_class)
      ids[i] = ignored;
    else if (ids[i] < 0 || ids[i] >= logits.shape().back())
      throw Error(fmt::format(
          "cross_entropy: expected targets in [0, {}), or {} for rows to ignore, got {}",
          logits.shape().back(), options.ignored_class, ids[i]));
  }
  const auto counted = std::count_if(ids.begin(), ids.end(), [](auto id) { return id != ignored; });
  const Tensor rows = contiguous(logits);
  const auto shared_ids = std::make_shared<const std::vector<int64_t>>(std::move(ids));
  const Tensor losses = fused(
      {"cross_entropy", "−Σ target · log softmax(x)", {{"(softmax(x) − target) · g", reads("x")}}},
      {rows}, [=](const auto& x) { return cross_entropy_rows(x[0], *shared_ids, smoothing); },
      [=](const Backward& b) {
        return std::vector<Gradient>{cross_entropy_gradient(b, *shared_ids, smoothing)};
      },
      [=](const auto& x) { return composed_cross_entropy(x[0], *shared_ids, smoothing); },
      [=] {
        return Attributes{{"targets", *shared_ids}, {"smoothing", smoothing}};
      });
  if (options.reduction == Reduction::none) return losses;
  if (options.reduction == Reduction::sum) return sum(losses);
  return sum(losses) / static_cast<double>(std::max<int64_t>(1, counted));
}

}  // namespace gradus
