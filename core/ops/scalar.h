#pragma once

#include <array>
#include <concepts>
#include <limits>
#include <type_traits>

#include "core/ops/formula.h"
#include "core/tensor/tensor.h"

/// The table of scalar functions. A row is a struct with
///   name, text    how errors and printed formulas call it ({0}, {1}, {2} are its arguments),
///   partials(a, …, y, g)   g · ∂y/∂a for each argument, as expressions, where y is its value,
/// and, below it, the function's front, for tensors (broadcasting) and for expressions alike.
/// What it computes is the row of the same name in core/kernels/scalar_functions.h. Everything else
/// (gradient, the gradient's gradient, printing) follows.

namespace gradus {

template <class T>
concept Symbol = std::same_as<T, Tensor> || std::same_as<T, Expr>;
/// Operands of one call: tensors, or expressions, with plain numbers among them.
template <class... T>
concept Operands = (Symbol<T> || ...) && ((Symbol<T> || std::is_arithmetic_v<T>)&&...) &&
                   !((std::same_as<T, Tensor> || ...) && (std::same_as<T, Expr> || ...));

/// Applies a row to operands: an Expr for expressions, a Tensor for tensors (core/ops/pointwise.h).
template <class Row, class... T>
std::conditional_t<(std::same_as<T, Expr> || ...), Expr, Tensor> apply(const T&... operands);

namespace scalar {

constexpr int sum_precedence = 1, product_precedence = 2, sign_precedence = 3, power_precedence = 4,
              call_precedence = 5;
struct Call {  // what most rows print like
  static constexpr int precedence = call_precedence;
};

struct Add {
  static constexpr const char *name = "add", *text = "{0} + {1}";
  static constexpr int precedence = sum_precedence;
  static auto partials(auto, auto, auto, auto g) { return std::array{g, g}; }
};
struct Subtract {
  static constexpr const char *name = "subtract", *text = "{0} − {1}";
  static constexpr int precedence = sum_precedence;
  static auto partials(auto, auto, auto, auto g) { return std::array{g, -g}; }
};
struct Multiply {
  static constexpr const char *name = "multiply", *text = "{0} · {1}";
  static constexpr int precedence = product_precedence;
  static auto partials(auto a, auto b, auto, auto g) { return std::array{g * b, g * a}; }
};
struct Divide {
  static constexpr const char *name = "divide", *text = "{0} / {1}";
  static constexpr int precedence = product_precedence;
  static auto partials(auto, auto b, auto y, auto g) { return std::array{g / b, -(g * y / b)}; }
};
struct Negate {
  static constexpr const char *name = "negate", *text = "−{0}";
  static constexpr int precedence = sign_precedence;
  static auto partials(auto, auto, auto g) { return std::array{-g}; }
};

}  // namespace scalar

/// a + b, and so on, elementwise; shapes broadcast. Of dtypes:
/// - A plain number takes the dtype of the tensor beside it; 0.5 beside int64 makes both float32.
/// - int64 beside float32 or float64 becomes that. float32 and float64 do not mix: that is an
/// Error.
/// - Of int64 alone sums, products, comparisons, where, maximum and the like are int64, exact, and
///   wrap around at 2⁶³; a / b is float32, and floor_divide(a, b) an integer. Functions whose
///   values are no integers, such as exp, throw Error: cast() first.
template <class A, class B>
requires Operands<A, B>
auto operator+(const A& a, const B& b) { return apply<scalar::Add>(a, b); }
template <class A, class B>
requires Operands<A, B>
auto operator-(const A& a, const B& b) { return apply<scalar::Subtract>(a, b); }
template <class A, class B>
requires Operands<A, B>
auto operator*(const A& a, const B& b) { return apply<scalar::Multiply>(a, b); }
template <class A, class B>
requires Operands<A, B>
auto operator/(const A& a, const B& b) { return apply<scalar::Divide>(a, b); }
auto operator-(const Symbol auto& a) { return apply<scalar::Negate>(a); }

namespace scalar {
struct Greater : Call {  // the derivative of a step function is 0 wherever it has one
  static constexpr const char *name = "greater", *text = "[{0} > {1}]";
  static auto partials(auto, auto, auto, auto g) { return std::array{g * 0, g * 0}; }
};
struct GreaterEqual : Call {
  static constexpr const char *name = "greater_equal", *text = "[{0} ≥ {1}]";
  static auto partials(auto, auto, auto, auto g) { return std::array{g * 0, g * 0}; }
};
struct Equal : Call {
  static constexpr const char *name = "equal", *text = "[{0} = {1}]";
  static auto partials(auto, auto, auto, auto g) { return std::array{g * 0, g * 0}; }
};
struct Where : Call {
  static constexpr const char *name = "where", *text = "where({0}, {1}, {2})";
  template <class E>
  static auto partials(E condition, E, E, E, E g) {
    return std::array{g * 0, where(condition, g, 0), where(condition, 0, g)};
  }
};
}  // namespace scalar

/// [a > b] = 1 where it holds, 0 elsewhere, in the dtype of the operands. The derivative is 0.
template <class A, class B>
requires Operands<A, B>
auto greater(const A& a, const B& b) { return apply<scalar::Greater>(a, b); }
template <class A, class B>
requires Operands<A, B>
auto greater_equal(const A& a, const B& b) { return apply<scalar::GreaterEqual>(a, b); }
template <class A, class B>
requires Operands<A, B>
auto less(const A& a, const B& b) { return apply<scalar::Greater>(b, a); }
template <class A, class B>
requires Operands<A, B>
auto less_equal(const A& a, const B& b) { return apply<scalar::GreaterEqual>(b, a); }
template <class A, class B>
requires Operands<A, B>
auto equal(const A& a, const B& b) { return apply<scalar::Equal>(a, b); }
/// a where condition ≠ 0 (NaN is not 0), b elsewhere; the gradient goes where the value came from.
template <class C, class A, class B>
requires Operands<C, A, B>
auto where(const C& condition, const A& a, const B& b) {
  return apply<scalar::Where>(condition, a, b);
}

namespace scalar {
/// f(a) where |a| ≤ limit, and beyond it `far(a)`, which is the same there, but has derivatives of
/// each order, where those of f would be 0 · ∞; `inside` is a number at which f has derivatives.
template <class E, class F, class G>
E up_to(double limit, E a, F f, G far, double inside = 0) {
  const E is_far = greater(abs(a), limit);
  return where(is_far, far(where(is_far, a, 1)), f(where(is_far, inside, a)));
}
constexpr double large = 1e18;  // whose square float32 holds, and 1 + large² = large²

struct Exp : Call {
  static constexpr const char *name = "exp", *text = "exp({0})";
  static auto partials(auto, auto y, auto g) { return std::array{g * y}; }
};
struct Log : Call {
  static constexpr const char *name = "log", *text = "log({0})";
  static auto partials(auto a, auto, auto g) { return std::array{g / a}; }
};
struct Tanh : Call {
  static constexpr const char *name = "tanh", *text = "tanh({0})";
  static auto partials(auto, auto y, auto g) { return std::array{g * (1 - y * y)}; }
};
struct Sigmoid : Call {
  static constexpr const char *name = "sigmoid", *text = "sigmoid({0})";
  static auto partials(auto, auto y, auto g) { return std::array{g * (y * (1 - y))}; }
};
struct Relu : Call {
  static constexpr const char *name = "relu", *text = "relu({0})";
  template <class E>
  static auto partials(E a, E, E g) {
    return std::array{where(less_equal(a, 0), 0, g)};
  }
};
struct Softplus : Call {
  static constexpr const char *name = "softplus", *text = "softplus({0})";
  static auto partials(auto a, auto, auto g) { return std::array{g * sigmoid(a)}; }
};
struct Erf : Call {
  static constexpr const char *name = "erf", *text = "erf({0})";
  static auto partials(auto a, auto, auto g) {
    return std::array{g *
                      up_to(
                          30, a, [](auto a) { return exp(-(a * a)); }, [](auto) { return 0; }) *
                      1.1283791670955126};  // 2/√π
  }
};
struct Sqrt : Call {
  static constexpr const char *name = "sqrt", *text = "√({0})";
  static auto partials(auto, auto y, auto g) { return std::array{g / (2 * y)}; }
};
struct Sin : Call {
  static constexpr const char *name = "sin", *text = "sin({0})";
  static auto partials(auto a, auto, auto g) { return std::array{g * cos(a)}; }
};
struct Cos : Call {
  static constexpr const char *name = "cos", *text = "cos({0})";
  static auto partials(auto a, auto, auto g) { return std::array{-(g * sin(a))}; }
};
struct Abs : Call {
  static constexpr const char *name = "abs", *text = "|{0}|";
  static auto partials(auto a, auto, auto g) { return std::array{g * sign(a)}; }
};
struct Power {
  static constexpr const char *name = "pow", *text = "{0}^{1}";
  static constexpr int precedence = power_precedence;
  template <class E>
  static auto partials(E a, E b, E y, E g) {
    // a⁰ does not change with a, nor 0ᵇ with b ≥ 0: 0 · ∞ would make a NaN of either, or of their
    // derivatives.
    const E constant = equal(a, 0) * greater_equal(b, 0);
    return std::array{g * (b * pow(a, where(equal(b, 0), 1, b) - 1)),
                      g * y * log(where(constant, 1, a))};
  }
};
struct Maximum : Call {
  static constexpr const char *name = "maximum", *text = "max({0}, {1})";
  template <class E>
  static auto partials(E a, E b, E, E g) {  // a tie gives half to each, as PyTorch does
    return std::array{where(less(a, b), 0, where(equal(a, b), g * 0.5, g)),
                      where(less(b, a), 0, where(equal(a, b), g * 0.5, g))};
  }
};
struct Minimum : Call {
  static constexpr const char *name = "minimum", *text = "min({0}, {1})";
  template <class E>
  static auto partials(E a, E b, E, E g) {
    return std::array{where(less(b, a), 0, where(equal(a, b), g * 0.5, g)),
                      where(less(a, b), 0, where(equal(a, b), g * 0.5, g))};
  }
};
struct FloorDivide : Call {
  static constexpr const char *name = "floor_divide", *text = "⌊{0} / {1}⌋";
  static auto partials(auto, auto, auto, auto g) { return std::array{g * 0, g * 0}; }
};
struct Remainder : Call {
  static constexpr const char *name = "remainder", *text = "remainder({0}, {1})";
  static auto partials(auto a, auto b, auto, auto g) {
    return std::array{g, -(g * floor_divide(a, b))};
  }
};
struct Floor : Call {
  static constexpr const char *name = "floor", *text = "⌊{0}⌋";
  static auto partials(auto, auto, auto g) { return std::array{g * 0}; }
};
struct Ceil : Call {
  static constexpr const char *name = "ceil", *text = "⌈{0}⌉";
  static auto partials(auto, auto, auto g) { return std::array{g * 0}; }
};
struct Round : Call {
  static constexpr const char *name = "round", *text = "round({0})";
  static auto partials(auto, auto, auto g) { return std::array{g * 0}; }
};
struct Sign : Call {
  static constexpr const char *name = "sign", *text = "sign({0})";
  static auto partials(auto, auto, auto g) { return std::array{g * 0}; }
};
struct Log1p : Call {
  static constexpr const char *name = "log1p", *text = "log(1 + {0})";
  static auto partials(auto a, auto, auto g) { return std::array{g / (1 + a)}; }
};
struct Expm1 : Call {
  static constexpr const char *name = "expm1", *text = "(exp({0}) − 1)";
  static auto partials(auto a, auto, auto g) { return std::array{g * exp(a)}; }
};
struct Tan : Call {
  static constexpr const char *name = "tan", *text = "tan({0})";
  static auto partials(auto, auto y, auto g) { return std::array{g * (1 + y * y)}; }
};
struct Asin : Call {
  static constexpr const char *name = "asin", *text = "asin({0})";
  static auto partials(auto a, auto, auto g) { return std::array{g / sqrt((1 - a) * (1 + a))}; }
};
struct Acos : Call {
  static constexpr const char *name = "acos", *text = "acos({0})";
  static auto partials(auto a, auto, auto g) { return std::array{-(g / sqrt((1 - a) * (1 + a)))}; }
};
struct Atan : Call {
  static constexpr const char *name = "atan", *text = "atan({0})";
  static auto partials(auto a, auto, auto g) {
    return std::array{g * up_to(
                              large, a, [](auto a) { return 1 / (1 + a * a); },
                              [](auto a) { return 1 / a / a; })};
  }
};
struct Sinh : Call {
  static constexpr const char *name = "sinh", *text = "sinh({0})";
  static auto partials(auto a, auto, auto g) { return std::array{g * cosh(a)}; }
};
struct Cosh : Call {
  static constexpr const char *name = "cosh", *text = "cosh({0})";
  static auto partials(auto a, auto, auto g) { return std::array{g * sinh(a)}; }
};
struct Asinh : Call {
  static constexpr const char *name = "asinh", *text = "asinh({0})";
  static auto partials(auto a, auto, auto g) {
    return std::array{g * up_to(
                              large, a, [](auto a) { return 1 / sqrt(1 + a * a); },
                              [](auto a) { return 1 / abs(a); })};
  }
};
struct Acosh : Call {
  static constexpr const char *name = "acosh", *text = "acosh({0})";
  static auto partials(auto a, auto, auto g) {
    return std::array{g * up_to(
                              large, a, [](auto a) { return 1 / sqrt((a - 1) * (a + 1)); },
                              [](auto a) { return 1 / abs(a); }, 2)};
  }
};
struct Atanh : Call {
  static constexpr const char *name = "atanh", *text = "atanh({0})";
  static auto partials(auto a, auto, auto g) { return std::array{g / ((1 - a) * (1 + a))}; }
};
}  // namespace scalar

/// eˣ
auto exp(const Symbol auto& x) { return apply<scalar::Exp>(x); }
/// ln x; −∞ at 0, NaN below
auto log(const Symbol auto& x) { return apply<scalar::Log>(x); }
auto tanh(const Symbol auto& x) { return apply<scalar::Tanh>(x); }
/// 1 / (1 + e⁻ˣ)
auto sigmoid(const Symbol auto& x) { return apply<scalar::Sigmoid>(x); }
/// max(x, 0), with derivative 0 at 0; NaN stays, and lets the gradient pass
auto relu(const Symbol auto& x) { return apply<scalar::Relu>(x); }
/// ln(1 + eˣ), without overflow
auto softplus(const Symbol auto& x) { return apply<scalar::Softplus>(x); }
/// (2/√π) ∫₀ˣ exp(−t²) dt
auto erf(const Symbol auto& x) { return apply<scalar::Erf>(x); }
/// √x; its derivative at 0 is ∞
auto sqrt(const Symbol auto& x) { return apply<scalar::Sqrt>(x); }
auto sin(const Symbol auto& x) { return apply<scalar::Sin>(x); }
auto cos(const Symbol auto& x) { return apply<scalar::Cos>(x); }
/// |x|, with derivative sign(x), 0 at 0
auto abs(const Symbol auto& x) { return apply<scalar::Abs>(x); }
/// aᵇ
template <class A, class B>
requires Operands<A, B>
auto pow(const A& a, const B& b) { return apply<scalar::Power>(a, b); }
/// The larger; NaN where one is NaN. Where they tie each gets half of the gradient.
template <class A, class B>
requires Operands<A, B>
auto maximum(const A& a, const B& b) { return apply<scalar::Maximum>(a, b); }
template <class A, class B>
requires Operands<A, B>
auto minimum(const A& a, const B& b) { return apply<scalar::Minimum>(a, b); }
/// ⌊a / b⌋ and a − ⌊a / b⌋ · b, which has the sign of b, as in Python; of int64 exact, where a zero
/// in b is an Error.
template <class A, class B>
requires Operands<A, B>
auto floor_divide(const A& a, const B& b) { return apply<scalar::FloorDivide>(a, b); }
template <class A, class B>
requires Operands<A, B>
auto remainder(const A& a, const B& b) { return apply<scalar::Remainder>(a, b); }
/// The next integer below, above, and the nearest, where a tie rounds to the even one; their
/// derivative is 0, and so is that of sign(x) = [x > 0] − [x < 0], which is NaN for NaN.
auto floor(const Symbol auto& x) { return apply<scalar::Floor>(x); }
auto ceil(const Symbol auto& x) { return apply<scalar::Ceil>(x); }
auto round(const Symbol auto& x) { return apply<scalar::Round>(x); }
auto sign(const Symbol auto& x) { return apply<scalar::Sign>(x); }
/// ln(1 + x) and eˣ − 1, exact near 0, too
auto log1p(const Symbol auto& x) { return apply<scalar::Log1p>(x); }
auto expm1(const Symbol auto& x) { return apply<scalar::Expm1>(x); }
/// Of angles in radians. Outside their domains (asin and acos [−1, 1], acosh [1, ∞), atanh (−1, 1))
/// they are NaN; at its ends their derivatives are infinite.
auto tan(const Symbol auto& x) { return apply<scalar::Tan>(x); }
auto asin(const Symbol auto& x) { return apply<scalar::Asin>(x); }
auto acos(const Symbol auto& x) { return apply<scalar::Acos>(x); }
auto atan(const Symbol auto& x) { return apply<scalar::Atan>(x); }
auto sinh(const Symbol auto& x) { return apply<scalar::Sinh>(x); }
auto cosh(const Symbol auto& x) { return apply<scalar::Cosh>(x); }
auto asinh(const Symbol auto& x) { return apply<scalar::Asinh>(x); }
auto acosh(const Symbol auto& x) { return apply<scalar::Acosh>(x); }
auto atanh(const Symbol auto& x) { return apply<scalar::Atanh>(x); }

}  // namespace gradus
