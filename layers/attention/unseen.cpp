#include "layers/attention/unseen.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <utility>
#include <vector>

#include "core/kernels/simd.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/threads.h"

namespace gradus {

namespace {

/// Whether the elements fill one range of memory, whatever the order of the axes.
bool is_dense(const Tensor& x) {
  std::vector<std::pair<int64_t, int64_t>> axes;
  for (int axis = 0; axis < x.rank(); ++axis)
    if (x.shape()[axis] != 1) axes.push_back({x.strides()[axis], x.shape()[axis]});
  std::ranges::sort(axes);
  int64_t expected = 1;
  for (const auto& [stride, size] : axes)
    if (stride != std::exchange(expected, expected * size)) return false;
  return true;
}

}  // namespace

bool is_finite(const Tensor& given) {
  const Tensor x = is_dense(given) ? given : contiguous(given.detach());
  return dispatch_float("is_finite", x.dtype(), [&](auto element) {
    using T = decltype(element);
    constexpr int64_t block = 1 << 14;
    const T* values = x.data<T>();
    const int64_t n = x.numel();
    std::atomic<bool> all = true;
    parallel_for((n + block - 1) / block, 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin * block; i < std::min(n, end * block) && all; i += block)
        if (!std::isfinite(simd::kernels<T>().sum(values + i, std::min(block, n - i)))) all = false;
    });
    return all.load();
  });
}

namespace {

/// The mask of a layer as one that broadcasts to the scores of tensors of `rank` axes.
Mask batch_first(Mask mask, int rank) {
  if (mask.axes() == Mask::batch_time) mask = mask.unsqueeze(1);
  while (mask.shape().rank() > 2 && mask.shape().rank() < rank) mask = mask.unsqueeze(1);
  return mask;
}

/// 1 where any element along `over`, axis −1 or −2 of the mask, is one: (…, n, 1).
Tensor any(const Mask& mask, const Tensor& x, int over) {
  Tensor seen = mask.attended(x.dtype());
  while (seen.rank() < 2) seen = unsqueeze(seen, 0);
  seen = max(seen, {over}, keepdims);
  if (over == -2) seen = transpose(seen);
  while (seen.rank() > x.rank()) seen = max(seen, {1});
  return seen;
}

}  // namespace

Tensor zeros_for_unseen_keys(const Tensor& x, const Mask& mask) {
  const int64_t keys = x.size(-2);
  const bool has_more = mask.shape().rank() > 0 && mask.shape().back() > keys;
  return where(any(has_more ? mask.first(keys) : mask, x, -2), x, 0);
}

Tensor zeros_for_blind_queries(const Tensor& x, const Mask& mask) {
  return where(any(mask, x, -1), x, 0);
}

Tensor seen_keys(const Tensor& x, const Mask& mask) {
  return !mask.defined() || is_finite(x) ? x
                                         : zeros_for_unseen_keys(x, batch_first(mask, x.rank()));
}

Tensor seeing_queries(const Tensor& x, const Mask& mask) {
  if (mask.defined() && !mask.lengths().empty() && std::ranges::min(mask.lengths()) > 0) return x;
  return !mask.defined() || is_finite(x) ? x
                                         : zeros_for_blind_queries(x, batch_first(mask, x.rank()));
}

Tensor sum_of_seen(const Tensor& weights, const Tensor& values, const Mask& mask) {
  const Tensor y = matmul(weights, values);
  // NaN and ∞ go from values into the output, which may have fewer elements.
  if (!mask.defined() || is_finite(y.numel() < values.numel() ? y : values)) return y;
  return matmul(weights, zeros_for_unseen_keys(values, mask));
}

}  // namespace gradus
