#include "core/ops/sort.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/autograd/autograd.h"
#include "core/ops/index.h"
#include "core/ops/movement.h"
#include "core/tensor/error.h"
#include "core/tensor/threads.h"

namespace gradus {

namespace {

/// The first k places of the order of n elements, into `indices`.
template <class T>
void order_row(const T* x, int64_t n, int64_t k, bool descending, int64_t* indices) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  auto is_less = [](T a, T b) { return a < b || (b != b && a == a); };  // NaN is the largest
  auto comes_first = [&](int64_t a, int64_t b) {
    const T &left = descending ? x[b] : x[a], &right = descending ? x[a] : x[b];
    if (is_less(left, right)) return true;
    return !is_less(right, left) && a < b;
  };
  std::partial_sort(order.begin(), order.begin() + k, order.end(), comes_first);
  std::copy_n(order.begin(), k, indices);
}

/// The first k places of the order along one axis.
Tensor order(const char* op, const Tensor& x, int64_t k, int axis, bool descending) {
  const Tensor rows = contiguous(transpose(x.detach(), axis, -1));
  const int64_t n = rows.shape().back(), count = n == 0 ? 0 : rows.numel() / n;
  Tensor indices = Tensor::uninitialised(rows.shape().with(x.rank() - 1, k), DType::int64);
  dispatch(x.dtype(), [&](auto element) {
    const auto* from = rows.data<decltype(element)>();
    int64_t* to = indices.mutable_data<int64_t>();
    parallel_for(count, std::max<int64_t>(1, 4096 / std::max<int64_t>(n, 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i)
                     order_row(from + i * n, n, k, descending, to + i * k);
                 });
  });
  return record(
      {op, "the indices in order of size"}, transpose(indices, axis, -1), {x}, nullptr,
      [=](const auto& x) { return order(op, x[0], k, axis, descending); },
      [=] {
        return Attributes{{"axis", axis}, {"k", k}, {"descending", int64_t{descending}}};
      });
}

}  // namespace

Tensor argsort(const Tensor& x, int axis, bool descending) {
  axis = checked_axis("argsort", axis, x.shape());
  return order("argsort", x, x.shape()[axis], axis, descending);
}

Sorted sort(const Tensor& x, int axis, bool descending) {
  axis = checked_axis("sort", axis, x.shape());
  const Tensor indices = order("sort", x, x.shape()[axis], axis, descending);
  return {take_along_axis(x, indices, axis), indices};
}

Sorted topk(const Tensor& x, int64_t k, int axis, bool largest) {
  axis = checked_axis("topk", axis, x.shape());
  if (k < 0 || k > x.shape()[axis])
    throw Error(fmt::format("topk: expected k in [0, {}] for axis {} of {}, got {}",
                            x.shape()[axis], axis, x.description(), k));
  const Tensor indices = order("topk", x, k, axis, largest);
  return {take_along_axis(x, indices, axis), indices};
}

}  // namespace gradus
