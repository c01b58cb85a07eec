#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "core/tensor/error.h"
#include "core/tensor/tensor.h"
#include "core/trace/trace.h"

namespace gradus {

namespace {

/// Calls f(value) for every element in row-major order.
template <class F>
void for_each_element(const Tensor& x, F f) {
  dispatch(x.dtype(), [&](auto element) {
    const auto* values = x.data<decltype(element)>();
    for_each_row<1>(x.shape(), {x.strides()}, [&](auto at, int64_t n, auto step) {
      for (int64_t i = 0; i < n; ++i) f(static_cast<double>(values[at[0] + i * step[0]]));
    });
  });
}
/// A sum of millions of numbers: of blocks, so that its error does not grow with their number.
/// Inside of a block it is of type Real, which not every processor has as fast as double.
template <class Real>
class Total {
 public:
  void add(Real x) {
    block_ += x;
    if (++count_ % 32 != 0) return;
    sum_ += block_;
    block_ = 0;
  }
  long double value() const { return sum_ + block_; }

 private:
  long double sum_ = 0;
  Real block_ = 0;
  int64_t count_ = 0;
};

/// Σx and Σx² of the finite elements.
struct Sums {
  long double sum = 0, squares = 0;
};
template <class Real>
Sums sums_of_finite(const Tensor& x) {
  Total<Real> sum, squares;
  for_each_element(x, [&](double value) {
    if (!std::isfinite(value)) return;
    sum.add(value);
    squares.add(static_cast<Real>(value) * static_cast<Real>(value));
  });
  return {sum.value(), squares.value()};
}
/// The same of numbers like 10²⁰⁰, too, whose squares are no doubles.
Sums sums_of_finite(const Tensor& x) {
  const Sums sums = sums_of_finite<double>(x);
  const bool is_safe = std::isfinite(sums.sum) && sums.squares < 1e300L && sums.squares > 1e-300L;
  return is_safe ? sums : sums_of_finite<long double>(x);
}

}  // namespace

Summary summarise(const Tensor& x) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Summary s;
  s.count = x.numel();
  s.min = infinity;
  s.max = -infinity;
  for_each_element(x, [&](double value) {
    if (!std::isfinite(value)) {
      ++(std::isnan(value) ? s.nans : s.infinities);
      s.negative_infinities += value == -infinity;
      return;
    }
    s.zeros += value == 0;
    s.min = std::min(s.min, value);
    s.max = std::max(s.max, value);
  });
  s.histogram.assign(Summary::bins, 0);
  const int64_t finite = s.count - s.nans - s.infinities;
  if (finite == 0) {
    s.min = s.max = 0;
    return s;
  }
  const Sums sums = s.zeros == finite ? Sums{} : sums_of_finite(x);
  s.mean = static_cast<double>(sums.sum / static_cast<long double>(finite));
  s.norm = static_cast<double>(std::sqrt(sums.squares));
  const double width = s.max / Summary::bins - s.min / Summary::bins;
  const double per_width = width > 0 && std::isfinite(1 / width) ? 1 / width : 0;
  for_each_element(x, [&](double value) {
    if (!std::isfinite(value)) return;
    const double bin = (value - s.min) * per_width;
    ++s.histogram[bin < Summary::bins ? static_cast<size_t>(bin) : Summary::bins - 1];
  });
  return s;
}

Summary::Figures Summary::all() const {
  constexpr double infinity = std::numeric_limits<double>::infinity(),
                   nan = std::numeric_limits<double>::quiet_NaN();
  if (nans > 0) return {nan, nan, nan, nan};
  if (infinities == 0) return {min, max, mean, norm};
  const bool below = negative_infinities > 0, above = infinities > negative_infinities,
             others = count > infinities;
  return {below    ? -infinity
          : others ? min
                   : infinity,
          above    ? infinity
          : others ? max
                   : -infinity,
          below && above ? nan
          : above        ? infinity
                         : -infinity,
          infinity};
}

TraceTensor::TraceTensor(Tensor values) : defined_(values.defined()), values_(std::move(values)) {
  if (!defined_) return;
  shape_ = values_.shape();
  dtype_ = values_.dtype();
}

TraceTensor::TraceTensor(const Shape& shape, DType dtype, Summary summary, Tensor values)
    : defined_(true),
      shape_(shape),
      dtype_(dtype),
      values_(std::move(values)),
      summary_(std::move(summary)) {}

const Tensor& TraceTensor::values() const {
  if (!defined_) throw Error("trace: there is no tensor here");
  if (!values_.defined())
    throw Error(
        fmt::format("trace: of this tensor {} only the summary was kept, it has {} "
                    "elements; record or save with a larger limit",
                    shape_.text(), shape_.numel()));
  return values_;
}

const Summary& TraceTensor::summary() const {
  if (!summary_) summary_ = summarise(values());
  return *summary_;
}

}  // namespace gradus
