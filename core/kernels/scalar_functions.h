#pragma once

#include "core/kernels/scalar_math.h"

/// The scalar functions on SIMD batches V. A row is a struct with its name, by which
/// core/ops/scalar.h finds it, how many arguments it takes, and its value; it also goes into
/// `Functions` at the end.
namespace gradus::simd {

struct Unary {
  static constexpr int arity = 1;
};
struct Binary {
  static constexpr int arity = 2;
};
struct Ternary {
  static constexpr int arity = 3;
};

struct Add : Binary {
  static constexpr const char* name = "add";
  static auto value(auto a, auto b) { return a + b; }
};
struct Subtract : Binary {
  static constexpr const char* name = "subtract";
  static auto value(auto a, auto b) { return a - b; }
};
struct Multiply : Binary {
  static constexpr const char* name = "multiply";
  static auto value(auto a, auto b) { return a * b; }
};
struct Divide : Binary {
  static constexpr const char* name = "divide";
  static auto value(auto a, auto b) { return a / b; }
};
struct Negate : Unary {
  static constexpr const char* name = "negate";
  static auto value(auto a) { return -a; }
};
struct Greater : Binary {
  static constexpr const char* name = "greater";
  template <class V>
  static V value(V a, V b) {
    return select(a > b, V(1), V(0));
  }
};
struct GreaterEqual : Binary {
  static constexpr const char* name = "greater_equal";
  template <class V>
  static V value(V a, V b) {
    return select(a >= b, V(1), V(0));
  }
};
struct Equal : Binary {
  static constexpr const char* name = "equal";
  template <class V>
  static V value(V a, V b) {
    return select(a == b, V(1), V(0));
  }
};
struct Where : Ternary {
  static constexpr const char* name = "where";
  template <class V>
  static V value(V condition, V a, V b) {
    return select(condition == V(0), b, a);  // NaN is not 0
  }
};
struct Exp : Unary {
  static constexpr const char* name = "exp";
  static auto value(auto a) { return scalar_math::exponential(a); }
};
struct Log : Unary {
  static constexpr const char* name = "log";
  static auto value(auto a) { return scalar_math::logarithm(a); }
};
struct Tanh : Unary {
  static constexpr const char* name = "tanh";
  static auto value(auto a) { return scalar_math::hyperbolic_tangent(a); }
};
struct Sigmoid : Unary {
  static constexpr const char* name = "sigmoid";
  static auto value(auto a) { return scalar_math::sigmoid(a); }
};
struct Relu : Unary {
  static constexpr const char* name = "relu";
  template <class V>
  static V value(V a) {
    return select(a < V(0), V(0), a);
  }  // keeps NaN
};
struct Softplus : Unary {
  static constexpr const char* name = "softplus";
  template <class V>
  static V value(V a) {
    const V large = select(a < V(0), V(0), a);
    return large + log1p(scalar_math::exponential(-abs(a)));
  }
};
struct Erf : Unary {
  static constexpr const char* name = "erf";
  static auto value(auto a) { return scalar_math::error_function(a); }
};
struct Sqrt : Unary {
  static constexpr const char* name = "sqrt";
  static auto value(auto a) { return sqrt(a); }
};
/// Lane by lane by the C library: the SIMD library's sin and cos depend on the other lanes.
template <class Row>
struct Library : Unary {
  template <class V>
  static V value(V a) {
    return scalar_math::each_lane(a, [](auto x) { return Row::of(x); });
  }
};
struct Sin : Library<Sin> {
  static constexpr const char* name = "sin";
  static float of(float x) { return __builtin_sinf(x); }
  static double of(double x) { return __builtin_sin(x); }
};
struct Cos : Library<Cos> {
  static constexpr const char* name = "cos";
  static float of(float x) { return __builtin_cosf(x); }
  static double of(double x) { return __builtin_cos(x); }
};
struct Tan : Library<Tan> {
  static constexpr const char* name = "tan";
  static float of(float x) { return __builtin_tanf(x); }
  static double of(double x) { return __builtin_tan(x); }
};
struct Asin : Library<Asin> {
  static constexpr const char* name = "asin";
  static float of(float x) { return __builtin_asinf(x); }
  static double of(double x) { return __builtin_asin(x); }
};
struct Acos : Library<Acos> {
  static constexpr const char* name = "acos";
  static float of(float x) { return __builtin_acosf(x); }
  static double of(double x) { return __builtin_acos(x); }
};
struct Atan : Library<Atan> {
  static constexpr const char* name = "atan";
  static float of(float x) { return __builtin_atanf(x); }
  static double of(double x) { return __builtin_atan(x); }
};
struct Sinh : Library<Sinh> {
  static constexpr const char* name = "sinh";
  static float of(float x) { return __builtin_sinhf(x); }
  static double of(double x) { return __builtin_sinh(x); }
};
struct Cosh : Library<Cosh> {
  static constexpr const char* name = "cosh";
  static float of(float x) { return __builtin_coshf(x); }
  static double of(double x) { return __builtin_cosh(x); }
};
struct Asinh : Library<Asinh> {
  static constexpr const char* name = "asinh";
  static float of(float x) { return __builtin_asinhf(x); }
  static double of(double x) { return __builtin_asinh(x); }
};
struct Acosh : Library<Acosh> {
  static constexpr const char* name = "acosh";
  static float of(float x) { return __builtin_acoshf(x); }
  static double of(double x) { return __builtin_acosh(x); }
};
struct Atanh : Library<Atanh> {
  static constexpr const char* name = "atanh";
  static float of(float x) { return __builtin_atanhf(x); }
  static double of(double x) { return __builtin_atanh(x); }
};
struct Abs : Unary {
  static constexpr const char* name = "abs";
  static auto value(auto a) { return abs(a); }
};
struct Power : Binary {
  static constexpr const char* name = "pow";
  template <class V>
  static V value(V a, V b) {  // not exp(b · log a), which errs at 0⁰, 1^∞ and far from 1
    return scalar_math::each_lane(a, b, [](auto x, auto y) {
      if constexpr (sizeof(x) == sizeof(float))
        return __builtin_powf(x, y);
      else
        return __builtin_pow(x, y);
    });
  }
};
struct Maximum : Binary {
  static constexpr const char* name = "maximum";
  template <class V>
  static V value(V a, V b) {
    return select(a > b || isnan(a), a, b);
  }  // NaN wins
};

struct Minimum : Binary {
  static constexpr const char* name = "minimum";
  template <class V>
  static V value(V a, V b) {
    return select(a < b || isnan(a), a, b);
  }
};
struct Remainder : Binary {
  static constexpr const char* name = "remainder";
  template <class V>
  static V value(V a, V b) {
    return scalar_math::each_lane(a, b, [](auto x, auto y) {
      const auto rest = fmod(x, y);
      return differ_in_sign(rest, y) ? rest + y : rest;
    });
  }
  static float fmod(float x, float y) { return __builtin_fmodf(x, y); }
  static double fmod(double x, double y) { return __builtin_fmod(x, y); }
  static bool differ_in_sign(auto rest, auto y) { return rest != 0 && (rest < 0) != (y < 0); }
};
struct FloorDivide : Binary {
  static constexpr const char* name = "floor_divide";
  template <class V>
  static V value(V a, V b) {  // not ⌊a / b⌋, which is 10 of 1 / 0.1: 0.1 is more than a tenth
    return scalar_math::each_lane(a, b, [](auto x, auto y) {
      if (y == 0) return x / y;
      const auto rest = Remainder::fmod(x, y);
      const auto quotient = (x - rest) / y - (Remainder::differ_in_sign(rest, y) ? 1 : 0);
      return static_cast<decltype(x)>(__builtin_nearbyint(quotient));
    });
  }
};
struct Floor : Unary {
  static constexpr const char* name = "floor";
  static auto value(auto a) { return floor(a); }
};
struct Ceil : Unary {
  static constexpr const char* name = "ceil";
  static auto value(auto a) { return ceil(a); }
};
struct Round : Unary {
  static constexpr const char* name = "round";
  static auto value(auto a) { return nearbyint(a); }
};
struct Sign : Unary {
  static constexpr const char* name = "sign";
  template <class V>
  static V value(V a) {
    return select(a > V(0), V(1), select(a < V(0), V(-1), a));
  }  // keeps NaN, as NumPy's
};
struct Log1p : Unary {
  static constexpr const char* name = "log1p";
  static auto value(auto a) { return log1p(a); }
};
struct Expm1 : Unary {
  static constexpr const char* name = "expm1";
  static auto value(auto a) { return scalar_math::exponential_minus_one(a); }
};

template <class... Row>
struct List {
  static constexpr int size = sizeof...(Row);
};
using Functions = List<Add, Subtract, Multiply, Divide, Negate, Greater, GreaterEqual, Equal, Where,
                       Exp, Log, Tanh, Sigmoid, Relu, Softplus, Erf, Sqrt, Sin, Cos, Abs, Power,
                       Maximum, Minimum, Remainder, FloorDivide, Floor, Ceil, Round, Sign, Log1p,
                       Expm1, Tan, Asin, Acos, Atan, Sinh, Cosh, Asinh, Acosh, Atanh>;

constexpr bool same_text(const char* a, const char* b) {
  for (; *a == *b; ++a, ++b)
    if (*a == 0) return true;
  return false;
}
template <class... Row>
constexpr int index_of(const char* name, List<Row...>) {
  int index = -1, next = 0;
  (void)((same_text(name, Row::name) ? index = next : ++next, index < 0) && ...);
  return index;
}
/// Where the row of this name stands among Functions; −1 for no row.
constexpr int index_of(const char* name) { return index_of(name, Functions{}); }
template <class Row>
constexpr int index_of() {
  return index_of(Row::name);
}

}  // namespace gradus::simd
