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
    return select(condition != V(0), a, b);
  }
};
struct Exp : Unary {
  static constexpr const char* name = "exp";
  static auto value(auto a) { return scalar_math::exponential(a); }
};
struct Log : Unary {
  static constexpr const char* name = "log";
  static auto value(auto a) { return log(a); }
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
    return large + log1p(exp(-abs(a)));
  }
};
struct Erf : Unary {
  static constexpr const char* name = "erf";
  static auto value(auto a) { return erf(a); }
};
struct Sqrt : Unary {
  static constexpr const char* name = "sqrt";
  static auto value(auto a) { return sqrt(a); }
};
struct Sin : Unary {
  static constexpr const char* name = "sin";
  static auto value(auto a) { return sin(a); }
};
struct Cos : Unary {
  static constexpr const char* name = "cos";
  static auto value(auto a) { return cos(a); }
};
struct Abs : Unary {
  static constexpr const char* name = "abs";
  static auto value(auto a) { return abs(a); }
};
struct Power : Binary {
  static constexpr const char* name = "pow";
  template <class V>
  static V value(V a, V b) {  // lane by lane: exp(b · log a) errs at 0⁰, 1^∞ and far from 1
    alignas(64) typename V::value_type base[V::size], exponent[V::size];
    a.store_aligned(base);
    b.store_aligned(exponent);
    for (unsigned i = 0; i < V::size; ++i)
      if constexpr (sizeof(base[i]) == sizeof(float))
        base[i] = __builtin_powf(base[i], exponent[i]);
      else
        base[i] = __builtin_pow(base[i], exponent[i]);
    return V::load_aligned(base);
  }
};
struct Maximum : Binary {
  static constexpr const char* name = "maximum";
  template <class V>
  static V value(V a, V b) {
    return select(a > b || isnan(a), a, b);
  }  // NaN wins
};

template <class... Row>
struct List {
  static constexpr int size = sizeof...(Row);
};
using Functions =
    List<Add, Subtract, Multiply, Divide, Negate, Greater, GreaterEqual, Equal, Where, Exp, Log,
         Tanh, Sigmoid, Relu, Softplus, Erf, Sqrt, Sin, Cos, Abs, Power, Maximum>;

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
