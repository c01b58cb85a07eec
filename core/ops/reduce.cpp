#include "core/ops/reduce.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/kernels/integer_functions.h"
#include "core/kernels/simd.h"
#include "core/kernels/sums.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"
#include "core/tensor/threads.h"

namespace gradus {

namespace {

/// x seen as (outer, n, inner) with neighbouring axes [first, last] as the middle one.
struct Span3 {
  int64_t outer = 1, n = 1, inner = 1;
  Span3(const Shape& shape, int first, int last) {
    for (int axis = 0; axis < shape.rank(); ++axis)
      (axis < first ? outer : axis <= last ? n : inner) *= shape[axis];
  }
};

/// The loops of a reduction: `row` folds n elements to one, `merge` folds them into others.
template <class T>
struct Sum {
  static constexpr T neutral = 0;
  static T row(const T* x, int64_t n) {
    if constexpr (std::is_integral_v<T>) {
      uint64_t total = 0;  // wraps around
      for (int64_t i = 0; i < n; ++i) total += static_cast<uint64_t>(x[i]);
      return static_cast<T>(total);
    } else {
      return simd::kernels<T>().sum(x, n);
    }
  }
  static void merge(const T* x, T* out, int64_t n) {
    functions_on<T>()[simd::index_of("add")](x, out, out, out, n);
  }
};
template <class T>
struct Max {
  static constexpr T neutral =
      std::is_integral_v<T> ? std::numeric_limits<T>::min() : -std::numeric_limits<T>::infinity();
  static T row(const T* x, int64_t n) {
    if constexpr (std::is_integral_v<T>)
      return *std::max_element(x, x + n);
    else
      return simd::kernels<T>().max(x, n);
  }
  static void merge(const T* x, T* out, int64_t n) {
    functions_on<T>()[simd::index_of("maximum")](x, out, out, out, n);
  }
};

/// Reduces one run of neighbouring axes to size 1.
template <class T, template <class> class Loops>
Tensor reduce_run(const Tensor& x, int first, int last) {
  Shape shape = x.shape();
  for (int axis = first; axis <= last; ++axis) shape[axis] = 1;
  Tensor result = Tensor::uninitialised(shape, x.dtype());
  const Span3 span(x.shape(), first, last);
  const T* from = x.data<T>();
  T* to = result.mutable_data<T>();
  if constexpr (std::is_floating_point_v<T> && std::is_same_v<Loops<T>, Sum<T>>)
    if (span.inner > 1) {
      sum_middle(from, span.outer, span.n, span.inner, to);
      return result;
    }
  const int64_t row_size = span.n * span.inner;
  parallel_for(span.outer, std::max<int64_t>(1, 32768 / std::max<int64_t>(row_size, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   if (span.inner == 1) {
                     to[i] = Loops<T>::row(from + i * span.n, span.n);
                     continue;
                   }
                   T* out = to + i * span.inner;
                   std::fill_n(out, span.inner, Loops<T>::neutral);
                   for (int64_t k = 0; k < span.n; ++k)
                     Loops<T>::merge(from + i * row_size + k * span.inner, out, span.inner);
                 }
               });
  return result;
}

/// Applies `run(x, first, last)` to every run of neighbouring axes, from the last to the first.
template <class Run>
Tensor reduce(const Tensor& x, const std::vector<int>& axes, Run run) {
  Tensor result = contiguous(x.detach());
  if (axes.empty()) {  // the result of a reduction is never a view of x
    Tensor copy = Tensor::uninitialised(x.shape(), x.dtype());
    copy.assign(x);
    return copy;
  }
  for (size_t i = axes.size(); i > 0;) {
    const int last = axes[--i];
    int first = last;
    while (i > 0 && axes[i - 1] == first - 1) first = axes[--i];
    result = run(result, first, last);
  }
  return result;
}

/// As the ops note them, which all keep their axes: without() takes them away afterwards.
Attributes axes_of(const std::vector<int>& axes) {
  return {{"axes", std::vector<int64_t>(axes.begin(), axes.end())}};
}

Tensor without(const Tensor& x, const std::vector<int>& axes, bool keepdims) {
  if (keepdims) return x;
  Shape shape;
  for (int axis = 0; axis < x.rank(); ++axis)
    if (!std::binary_search(axes.begin(), axes.end(), axis)) shape.append(x.shape()[axis]);
  return reshape(x, shape);
}

}  // namespace

Tensor sum(const Tensor& x, const Axes& axes, bool keepdims) {
  const std::vector<int> over = checked_axes("sum", axes, x.shape());
  Tensor result = dispatch(x.dtype(), [&](auto element) {
    using T = decltype(element);
    return reduce(x, over, [&](const Tensor& part, int first, int last) {
      return reduce_run<T, Sum>(part, first, last);
    });
  });
  result = record(
      {"sum", "Σ x", {{"g"}}}, result, {x},
      [](const Backward& b) { return std::vector<Gradient>{expand(b.gradient, b.shape(0))}; },
      [over](const auto& x) { return sum(x[0], over, true); }, [&] { return axes_of(over); });
  return without(result, over, keepdims);
}

Tensor max(const Tensor& x, const Axes& axes, bool keepdims) {
  const std::vector<int> over = checked_axes("max", axes, x.shape());
  if (!x.is_float() && x.numel() == 0)  // there is no −∞
    throw Error(fmt::format("max: expected at least one int64 element, got {}", x.description()));
  Tensor result = dispatch(x.dtype(), [&](auto element) {
    using T = decltype(element);
    return reduce(x, over, [&](const Tensor& part, int first, int last) {
      return reduce_run<T, Max>(part, first, last);
    });
  });
  result = record(
      {"max", "max x", {{"g where x = y, in equal parts; 0 elsewhere", reads("xy")}}}, result, {x},
      [over](const Backward& b) {
        const Tensor tied = equal(b.input(0), b.output()).detach();
        return std::vector<Gradient>{tied / sum(tied, over, true) * b.gradient};
      },
      [over](const auto& x) { return max(x[0], over, true); }, [&] { return axes_of(over); });
  return without(result, over, keepdims);
}

Tensor min(const Tensor& x, const Axes& axes, bool keepdims) {
  if (!x.is_float()) return -1 - max(-1 - x, axes, keepdims);  // −x wraps around at −2⁶³
  return -max(-x, axes, keepdims);
}

namespace {
double count(const Tensor& x, const std::vector<int>& axes) {
  int64_t n = 1;
  for (int axis : axes) n *= x.shape()[axis];
  return static_cast<double>(n);
}
}  // namespace

Tensor mean(const Tensor& x, const Axes& axes, bool keepdims) {
  check_float("mean", x);
  const double n = count(x, checked_axes("mean", axes, x.shape()));
  return sum(x, axes, keepdims) / n;
}

Tensor prod(const Tensor& x, const Axes& axes, bool keepdims) {
  const std::vector<int> over = checked_axes("prod", axes, x.shape());
  Tensor y = x;
  for (int axis : over) {
    int64_t n = 1;  // a power of two, filled with ones
    while (n < x.shape()[axis]) n *= 2;
    if (n != x.shape()[axis]) y = pad(y, axis, 0, n - x.shape()[axis], 1);
    for (n /= 2; n > 0; n /= 2) y = slice(y, axis, 0, n) * slice(y, axis, n, 2 * n);
  }
  return without(y, over, keepdims);
}

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();

/// x where it is finite, 0 elsewhere: a shift by it never makes ∞ − ∞.
Tensor finite_or_zero(const Tensor& x) {
  const double limit = x.dtype() == DType::float32 ? std::numeric_limits<float>::max()
                                                   : std::numeric_limits<double>::max();
  return where(greater(abs(x), limit), 0, x);
}
}  // namespace

Tensor logsumexp(const Tensor& x, const Axes& axes, bool keepdims) {
  check_float("logsumexp", x);
  const std::vector<int> over = checked_axes("logsumexp", axes, x.shape());
  Tensor result;
  {
    const NoGrad pause;
    const Tensor shift = finite_or_zero(max(x, over, true));
    result = log(sum(exp(x - shift), over, true)) + shift;
  }
  result = record(
      {"logsumexp", "log Σ eˣ", {{"g · softmax(x)", reads("x")}}}, result, {x},
      [over](const Backward& b) {  // from x: y has rounded away what a large x leaves of log Σ
        const Tensor &x = b.input(0), largest = max(x.detach(), over, true);
        Tensor e = exp(x - finite_or_zero(largest));
        if (const Tensor is_infinite = equal(largest, infinity); max(is_infinite).item() == 1)
          e = where(is_infinite, equal(x, infinity), e);
        const Tensor total = sum(e, over, true);
        return std::vector<Gradient>{b.gradient * (e / where(equal(total, 0), 1, total))};
      },
      [over](const auto& x) { return logsumexp(x[0], over, true); }, [&] { return axes_of(over); });
  return without(result, over, keepdims);
}

namespace {

/// The index of the element along one axis that comes before all others, of equal ones the first or
/// the last; or of the first NaN.
template <class IsBefore>
Tensor first_index(const char* op, const char* formula, const Tensor& x, int axis, bool last,
                   IsBefore is_before) {
  axis = checked_axis(op, axis, x.shape());
  const int64_t n = x.shape()[axis];
  if (n == 0)
    throw Error(fmt::format("{}: expected at least one element on axis {}, got {}", op, axis,
                            x.description()));
  std::vector<int> order;  // `axis` goes last
  for (int k = 0; k < x.rank(); ++k)
    if (k != axis) order.push_back(k);
  order.push_back(axis);
  const Tensor rows = contiguous(permute(x.detach(), order));
  Tensor result = Tensor::uninitialised(rows.shape().without(x.rank() - 1), DType::int64);
  dispatch(x.dtype(), [&](auto element) {
    const auto* row = rows.data<decltype(element)>();
    for (int64_t& index : result.mutable_span<int64_t>()) {
      index = 0;
      for (int64_t i = 1; i < n && row[index] == row[index]; ++i)
        if (is_before(row[i], row[index]) || (last && row[i] == row[index]) || row[i] != row[i])
          index = i;
      row += n;
    }
  });
  return record(
      {op, formula}, result, {x}, nullptr,
      [=](const auto& x) { return first_index(op, formula, x[0], axis, last, is_before); },
      [=] {
        return Attributes{{"axis", axis}, {"last", int64_t{last}}};
      });
}

}  // namespace

Tensor argmax(const Tensor& x, int axis, bool last) {
  return first_index("argmax", "the index of the largest", x, axis, last,
                     [](auto a, auto b) { return a > b; });
}

Tensor argmin(const Tensor& x, int axis, bool last) {
  return first_index("argmin", "the index of the smallest", x, axis, last,
                     [](auto a, auto b) { return a < b; });
}

}  // namespace gradus
