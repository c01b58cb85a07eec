#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

/// What a result should be, and how far it may be off: long double numbers that carry the error of
/// a plain evaluation in the precision under test.
namespace gradus::differential {

using Real = long double;
inline constexpr Real infinity = std::numeric_limits<Real>::infinity();
inline constexpr Real not_a_number = std::numeric_limits<Real>::quiet_NaN();

struct Precision {
  Real epsilon, smallest, smallest_normal, largest;
  template <class T>
  static Precision of() {
    using Limits = std::numeric_limits<T>;
    return {Limits::epsilon(), Limits::denorm_min(), Limits::min(), Limits::max()};
  }
  bool is_float32() const { return epsilon > 1e-10L; }
};
/// That of the dtype under test.
inline Precision precision = Precision::of<float>();

struct Number {
  Real v = 0;     ///< the value
  Real e = 0;     ///< how far a result may be from it
  Real peak = 0;  ///< the largest value on the way: beyond the largest float it has been lost

  Number() = default;
  Number(Real v) : v(v) {}  // NOLINT: a number
  Number(Real v, Real e, Real peak) : v(v), e(e), peak(peak) {}
};

/// A number that is only known up to `e`, rounded: `ulps` units in the last place more.
inline Number rounded(Real v, Real e, Real peak, Real ulps = 1, Real smallest = 0) {
  if (!std::isfinite(v)) return {v, 0, peak};
  if (std::isnan(e)) e = 0;
  return {v, e + ulps * precision.epsilon * std::abs(v) + std::max(smallest, precision.smallest),
          peak};
}
/// The same with a wider bound.
inline Number loosened(Number x, Real times) {
  x.e *= times;
  return x;
}
/// Where the documentation leaves open what a result is.
inline Number anything() { return {0, infinity, 0}; }

inline Real peak_of(const Number& a) {
  return std::isfinite(a.v) ? std::max(a.peak, std::abs(a.v)) : a.peak;
}
inline Real peak_of(const Number& a, const Number& b) { return std::max(peak_of(a), peak_of(b)); }
inline bool is_open(const Number& a, const Number& b) { return a.e == infinity || b.e == infinity; }
inline Number operator+(const Number& a, const Number& b) {
  if (is_open(a, b)) return anything();
  return rounded(a.v + b.v, a.e + b.e, peak_of(a, b));
}
inline Number operator-(const Number& a) { return {-a.v, a.e, a.peak}; }
inline Number operator-(const Number& a, const Number& b) { return a + -b; }
inline Number operator*(const Number& a, const Number& b) {
  if (is_open(a, b)) return anything();
  const Real e =
      (b.e == 0 ? 0 : std::abs(a.v) * b.e) + (a.e == 0 ? 0 : (std::abs(b.v) + b.e) * a.e);
  return rounded(a.v * b.v, e, peak_of(a, b));
}
inline Number operator/(const Number& a, const Number& b) {
  if (is_open(a, b)) return anything();
  const Real y = a.v / b.v;
  const Real e = a.e + (b.e == 0 ? 0 : std::abs(y) * b.e);
  return rounded(y, e == 0 ? 0 : e / std::abs(b.v), peak_of(a, b));
}

/// y = f(a) where |f′(a)| is `slope`, right to `ulps`.
inline Number function_of(const Number& a, Real y, Real slope, Real ulps, Real smallest = 0) {
  return rounded(y, a.e == 0 ? 0 : std::abs(slope) * a.e, peak_of(a), ulps, smallest);
}
/// The bounds of the functions in units in the last place, of float32 and of float64. In float32
/// exp and its relatives give 0 for what is below the smallest normal number.
inline Real ulps(Real of_float32, Real of_float64) {
  return precision.is_float32() ? of_float32 : of_float64;
}
inline Real flushed() { return precision.is_float32() ? precision.smallest_normal : 0; }
inline Number exp(const Number& a) {
  const Real y = std::exp(a.v);
  return rounded(y, a.e == 0 ? 0 : y * std::expm1(a.e), peak_of(a), ulps(8, 2), flushed());
}
inline Number log(const Number& a) { return function_of(a, std::log(a.v), 1 / a.v, 2); }
inline Number log1p(const Number& a) { return function_of(a, std::log1p(a.v), 1 / (1 + a.v), 2); }
inline Number expm1(const Number& a) {
  return function_of(a, std::expm1(a.v), std::exp(a.v), ulps(8, 3));
}
inline Number tanh(const Number& a) {
  const Real y = std::tanh(a.v);
  return function_of(a, y, 1 - y * y, ulps(8, 3));
}
inline Number sigmoid(const Number& a) {
  const Real y = a.v < 0 ? std::exp(a.v) / (1 + std::exp(a.v)) : 1 / (1 + std::exp(-a.v));
  return function_of(a, std::isinf(a.v) ? (a.v > 0 ? 1 : 0) : y, y * (1 - y), ulps(8, 4),
                     flushed());
}
inline Number softplus(const Number& a) {
  const Real y = std::max<Real>(a.v, 0) + std::log1p(std::exp(-std::abs(a.v)));
  return function_of(a, std::isnan(a.v) ? a.v : y, sigmoid(a.v).v, ulps(8, 4), flushed());
}
inline Number erf(const Number& a) {
  return function_of(a, std::erf(a.v), 1.13L * std::exp(-a.v * a.v), 3);
}
inline Number sqrt(const Number& a) {
  const Real y = std::sqrt(a.v);
  return rounded(y, a.e == 0 ? 0 : std::min(a.e / (2 * y), std::sqrt(a.e)), peak_of(a));
}
inline Number sin(const Number& a) { return function_of(a, std::sin(a.v), 1, 3); }
inline Number cos(const Number& a) { return function_of(a, std::cos(a.v), 1, 3); }
inline Number abs(const Number& a) { return {std::abs(a.v), a.e, a.peak}; }
inline Number pow(const Number& a, Real b) {
  const Real y = std::pow(a.v, b);
  return function_of(a, y, b * std::pow(a.v, b - 1), 2);
}

/// Σ of many terms, as exact as pairwise summation of small blocks: 8 + ½ log₂ n units of Σ |term|,
/// but not more than n. Products are summed one after the other: 1 + n / 2 units.
class Sum {
 public:
  explicit Sum(bool one_after_the_other = false) : slow_(one_after_the_other) {}
  void add(const Number& term) {
    v_ += term.v, e_ += term.e, peak_ = std::max(peak_, term.peak), ++n_;
    if (std::isfinite(term.v)) size_ += std::abs(term.v);
  }
  Number total() const {
    if (n_ < 2) return {v_, e_, peak_};
    if (!std::isfinite(v_)) return {v_, e_, std::max(peak_, size_)};
    const Real n = static_cast<Real>(n_);
    const Real units = std::min(n, slow_ ? 1 + n / 2 : 8 + std::log2(n) / 2);
    return {v_, e_ + units * precision.epsilon * size_ + n * precision.smallest,
            std::max(peak_, size_)};
  }

 private:
  Real v_ = 0, e_ = 0, size_ = 0, peak_ = 0;
  int64_t n_ = 0;
  bool slow_;
};
inline Number sum(const std::vector<Number>& terms) {
  Sum total;
  for (const Number& term : terms) total.add(term);
  return total.total();
}

inline bool agrees(Real got, const Number& want) {
  const Real largest = precision.largest * 0.999999L;
  if (want.e > largest || want.peak > largest) return true;
  if (std::isnan(want.v)) return std::isnan(got);
  if (std::isinf(want.v) || std::abs(want.v) - want.e > precision.largest)
    return got == (want.v > 0 ? infinity : -infinity);
  if (std::isinf(got)) return std::abs(want.v) + want.e > largest && (got > 0) == (want.v > 0);
  return std::abs(got - want.v) <= want.e;
}

}  // namespace gradus::differential
