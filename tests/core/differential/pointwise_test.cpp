#include <doctest/doctest.h>
#include <fmt/format.h>

#include "core/kernels/scalar_functions.h"
#include "tests/core/differential/differential.h"

/// Every row of the table of scalar functions, the formulas made of them, and the losses that are
/// reductions of one, against the same in long double.
namespace gradus::differential {

namespace {

using Inputs = const std::vector<Tensor>&;

Number when(bool condition) { return Real{condition ? 1.0L : 0.0L}; }
bool is_nan(const Number& x) { return std::isnan(x.v); }
bool outside(const Number& x, Real low, Real high) { return x.v < low || x.v > high; }
bool is_infinite(const Number& x) { return std::isinf(x.v); }
/// 0 · g: a gradient of 0, also where what flows is large.
Number zero() { return Real{0}; }
void nothing(const Number*, const Number&, Number* out) { out[0] = out[1] = out[2] = zero(); }

Number larger(const Number* x) { return is_nan(x[0]) || x[0].v > x[1].v ? x[0] : x[1]; }
Number smaller(const Number* x) { return is_nan(x[0]) || x[0].v < x[1].v ? x[0] : x[1]; }
/// A tie gives half to each.
void to_the_larger(const Number& a, const Number& b, const Number& g, Number& da, Number& db) {
  if (is_nan(a) || is_nan(b)) {
    da = db = anything();
    return;
  }
  da = a.v > b.v ? g : a.v == b.v ? g * Real{0.5L} : zero();
  db = b.v > a.v ? g : a.v == b.v ? g * Real{0.5L} : zero();
}

/// Python's, by the remainder that has the sign of the divisor.
Number remainder_of(const Number& a, const Number& b) {
  if (b.v == 0 || is_infinite(a) || is_nan(a) || is_nan(b)) return not_a_number;
  const Real rest = std::fmod(a.v, b.v);
  if (rest == 0 || (rest < 0) == (b.v < 0)) return rest;
  return rounded(rest + b.v, 0, std::abs(b.v));
}
Number floor_of_quotient(const Number& a, const Number& b) {
  if (b.v == 0) return a.v / b.v;
  if (is_infinite(a) || is_nan(a) || is_nan(b)) return not_a_number;
  const Real rest = std::fmod(a.v, b.v);
  const bool below = rest != 0 && (rest < 0) != (b.v < 0);
  return rounded((a.v - rest) / b.v - below, 0, 0, 2);
}

Number gelu_of(const Number& x) {
  return x * Real{0.5L} * (Real{1} + erf(x * rounded(std::sqrt(0.5L), 0, 0)));
}
Number gelu_slope(const Number& x) {
  const Number normal = exp(-(x * x) * Real{0.5L}) * rounded(0.3989422804014326779399L, 0, 0);
  return Real{0.5L} * (Real{1} + erf(x * rounded(std::sqrt(0.5L), 0, 0))) + x * normal;
}

const std::vector<Function> functions{
    {"add", "a + b", 2, [](Inputs x) { return x[0] + x[1]; },
     [](const Number* x) { return x[0] + x[1]; },
     [](const Number*, const Number& g, Number* out) { out[0] = out[1] = g; }},
    {"subtract", "a - b", 2, [](Inputs x) { return x[0] - x[1]; },
     [](const Number* x) { return x[0] - x[1]; },
     [](const Number*, const Number& g, Number* out) { out[0] = g, out[1] = -g; }},
    {"multiply", "a * b", 2, [](Inputs x) { return x[0] * x[1]; },
     [](const Number* x) { return x[0] * x[1]; },
     [](const Number* x, const Number& g, Number* out) { out[0] = g * x[1], out[1] = g * x[0]; }},
    {"divide", "a / b", 2, [](Inputs x) { return x[0] / x[1]; },
     [](const Number* x) { return x[0] / x[1]; },
     [](const Number* x, const Number& g, Number* out) {
       out[0] = g / x[1], out[1] = -(g * (x[0] / x[1]) / x[1]);
     }},
    {"subtract from a number", "2.5 - a", 1, [](Inputs x) { return 2.5 - x[0]; },
     [](const Number* x) { return Real{2.5L} - x[0]; },
     [](const Number*, const Number& g, Number* out) { out[0] = -g; }},
    {"divide a number", "2 / a", 1, [](Inputs x) { return 2 / x[0]; },
     [](const Number* x) { return Real{2} / x[0]; },
     [](const Number* x, const Number& g, Number* out) {
       out[0] = -(g * (Real{2} / x[0]) / x[0]);
     }},
    {"divide by a number", "a / 3", 1, [](Inputs x) { return x[0] / 3; },
     [](const Number* x) { return x[0] / Real{3}; },
     [](const Number*, const Number& g, Number* out) { out[0] = g / Real{3}; }},
    {"negate", "-a", 1, [](Inputs x) { return -x[0]; }, [](const Number* x) { return -x[0]; },
     [](const Number*, const Number& g, Number* out) { out[0] = -g; }},
    {"greater", "greater(a, b)", 2, [](Inputs x) { return greater(x[0], x[1]); },
     [](const Number* x) { return when(x[0].v > x[1].v); }, nothing},
    {"greater_equal", "greater_equal(a, b)", 2, [](Inputs x) { return greater_equal(x[0], x[1]); },
     [](const Number* x) { return when(x[0].v >= x[1].v); }, nothing},
    {"less", "less(a, b)", 2, [](Inputs x) { return less(x[0], x[1]); },
     [](const Number* x) { return when(x[0].v < x[1].v); }, nothing},
    {"less_equal", "less_equal(a, b)", 2, [](Inputs x) { return less_equal(x[0], x[1]); },
     [](const Number* x) { return when(x[0].v <= x[1].v); }, nothing},
    {"equal", "equal(a, b)", 2, [](Inputs x) { return equal(x[0], x[1]); },
     [](const Number* x) { return when(x[0].v == x[1].v); }, nothing},
    {"where", "where(a, b, c)", 3, [](Inputs x) { return where(x[0], x[1], x[2]); },
     [](const Number* x) { return x[0].v != 0 ? x[1] : x[2]; },
     [](const Number* x, const Number& g, Number* out) {
       out[0] = zero(), out[1] = x[0].v != 0 ? g : zero(), out[2] = x[0].v != 0 ? zero() : g;
     }},
    {"exp", "exp(a)", 1, [](Inputs x) { return exp(x[0]); },
     [](const Number* x) { return exp(x[0]); },
     [](const Number* x, const Number& g, Number* out) { out[0] = g * exp(x[0]); }},
    {"log", "log(a)", 1, [](Inputs x) { return log(x[0]); },
     [](const Number* x) { return log(x[0]); },
     [](const Number* x, const Number& g, Number* out) { out[0] = g / x[0]; }},
    {"tanh", "tanh(a)", 1, [](Inputs x) { return tanh(x[0]); },
     [](const Number* x) { return tanh(x[0]); },
     [](const Number* x, const Number& g, Number* out) {
       const Number y = tanh(x[0]);
       out[0] = g * (Real{1} - y * y);
     }},
    {"sigmoid", "sigmoid(a)", 1, [](Inputs x) { return sigmoid(x[0]); },
     [](const Number* x) { return sigmoid(x[0]); },
     [](const Number* x, const Number& g, Number* out) {
       const Number y = sigmoid(x[0]);
       out[0] = g * (y * (Real{1} - y));
     }},
    {"relu", "relu(a)", 1, [](Inputs x) { return relu(x[0]); },
     [](const Number* x) { return x[0].v < 0 ? zero() : x[0]; },
     [](const Number* x, const Number& g, Number* out) { out[0] = x[0].v <= 0 ? zero() : g; }},
    {"softplus", "softplus(a)", 1, [](Inputs x) { return softplus(x[0]); },
     [](const Number* x) { return softplus(x[0]); },
     [](const Number* x, const Number& g, Number* out) { out[0] = g * sigmoid(x[0]); }},
    {"erf", "erf(a)", 1, [](Inputs x) { return erf(x[0]); },
     [](const Number* x) { return erf(x[0]); },
     [](const Number* x, const Number& g, Number* out) {
       const Number square = x[0].v * x[0].v > 1e6L ? Number(1e6L) : x[0] * x[0];
       out[0] = is_nan(x[0]) ? Number(not_a_number)
                             : g * exp(-square) * rounded(1.128379167095512573896L, 0, 0);
     }},
    {"sqrt", "sqrt(a)", 1, [](Inputs x) { return sqrt(x[0]); },
     [](const Number* x) { return sqrt(x[0]); },
     [](const Number* x, const Number& g, Number* out) { out[0] = g / (Real{2} * sqrt(x[0])); }},
    {"sin", "sin(a)", 1, [](Inputs x) { return sin(x[0]); },
     [](const Number* x) { return sin(x[0]); },
     [](const Number* x, const Number& g, Number* out) { out[0] = g * cos(x[0]); }},
    {"cos", "cos(a)", 1, [](Inputs x) { return cos(x[0]); },
     [](const Number* x) { return cos(x[0]); },
     [](const Number* x, const Number& g, Number* out) { out[0] = -(g * sin(x[0])); }},
    {"abs", "abs(a)", 1, [](Inputs x) { return abs(x[0]); },
     [](const Number* x) { return abs(x[0]); },
     [](const Number* x, const Number& g, Number* out) {
       out[0] = is_nan(x[0]) ? x[0] : x[0].v > 0 ? g : x[0].v < 0 ? -g : zero();
     }},
    {"pow", "pow(a, b)", 2, [](Inputs x) { return pow(x[0], x[1]); },
     [](const Number* x) { return pow(x[0], x[1].v); },
     [](const Number* x, const Number& g, Number* out) {
       const Number &a = x[0], &b = x[1];
       out[0] = b.v == 0
                    ? zero()
                    : g * (b * function_of(b - Real{1}, std::pow(a.v, b.v - 1),
                                           std::log(std::abs(a.v)) * std::pow(a.v, b.v - 1), 2));
       out[1] = a.v == 0 && b.v >= 0 ? zero() : g * pow(a, b.v) * log(a);
       const bool loses_sign = a.v < 0 && std::abs(b.v) > 1e6L;  // b − 1 rounds to b
       if (is_infinite(a) || is_infinite(b) || loses_sign || std::isnan(std::pow(a.v, b.v)))
         out[0] = out[1] = anything();
     }},
    {"pow to a number", "pow(a, 3)", 1, [](Inputs x) { return pow(x[0], 3); },
     [](const Number* x) { return pow(x[0], 3); },
     [](const Number* x, const Number& g, Number* out) { out[0] = g * (Real{3} * pow(x[0], 2)); }},
    {"maximum", "maximum(a, b)", 2, [](Inputs x) { return maximum(x[0], x[1]); }, larger,
     [](const Number* x, const Number& g, Number* out) {
       to_the_larger(x[0], x[1], g, out[0], out[1]);
     }},
    {"minimum", "minimum(a, b)", 2, [](Inputs x) { return minimum(x[0], x[1]); }, smaller,
     [](const Number* x, const Number& g, Number* out) {
       to_the_larger(-x[0], -x[1], g, out[0], out[1]);
     }},
    {"floor_divide", "floor_divide(a, b)", 2, [](Inputs x) { return floor_divide(x[0], x[1]); },
     [](const Number* x) { return floor_of_quotient(x[0], x[1]); }, nothing},
    {"remainder", "remainder(a, b)", 2, [](Inputs x) { return remainder(x[0], x[1]); },
     [](const Number* x) { return remainder_of(x[0], x[1]); },
     [](const Number* x, const Number& g, Number* out) {
       out[0] = g;
       const Number quotient = floor_of_quotient(x[0], x[1]);
       out[1] = std::isfinite(quotient.v) ? -(g * quotient) : anything();
     }},
    {"floor", "floor(a)", 1, [](Inputs x) { return floor(x[0]); },
     [](const Number* x) { return Number(std::floor(x[0].v)); }, nothing},
    {"ceil", "ceil(a)", 1, [](Inputs x) { return ceil(x[0]); },
     [](const Number* x) { return Number(std::ceil(x[0].v)); }, nothing},
    {"round", "round(a)", 1, [](Inputs x) { return round(x[0]); },
     [](const Number* x) { return Number(std::nearbyint(x[0].v)); }, nothing},
    {"sign", "sign(a)", 1, [](Inputs x) { return sign(x[0]); },
     [](const Number* x) {
       return is_nan(x[0]) ? x[0] : Number(Real((x[0].v > 0) - (x[0].v < 0)));
     },
     nothing},
    {"log1p", "log1p(a)", 1, [](Inputs x) { return log1p(x[0]); },
     [](const Number* x) { return log1p(x[0]); },
     [](const Number* x, const Number& g, Number* out) { out[0] = g / (Real{1} + x[0]); }},
    {"expm1", "expm1(a)", 1, [](Inputs x) { return expm1(x[0]); },
     [](const Number* x) { return expm1(x[0]); },
     [](const Number* x, const Number& g, Number* out) { out[0] = g * (expm1(x[0]) + Real{1}); }},
    {"tan", "tan(a)", 1, [](Inputs x) { return tan(x[0]); },
     [](const Number* x) { return function_of(x[0], std::tan(x[0].v), 1, 2); },
     [](const Number* x, const Number& g, Number* out) {
       const Number y = function_of(x[0], std::tan(x[0].v), 1, 2);
       out[0] = g * (Real{1} + y * y);
     }},
    {"asin", "asin(a)", 1, [](Inputs x) { return asin(x[0]); },
     [](const Number* x) { return function_of(x[0], std::asin(x[0].v), 1, 2); },
     [](const Number* x, const Number& g, Number* out) {
       out[0] = outside(x[0], -1, 1) ? anything() : g / sqrt((Real{1} - x[0]) * (Real{1} + x[0]));
     }},
    {"acos", "acos(a)", 1, [](Inputs x) { return acos(x[0]); },
     [](const Number* x) { return function_of(x[0], std::acos(x[0].v), 1, 2); },
     [](const Number* x, const Number& g, Number* out) {
       out[0] =
           outside(x[0], -1, 1) ? anything() : -(g / sqrt((Real{1} - x[0]) * (Real{1} + x[0])));
     }},
    {"atan", "atan(a)", 1, [](Inputs x) { return atan(x[0]); },
     [](const Number* x) { return function_of(x[0], std::atan(x[0].v), 1, 2); },
     [](const Number* x, const Number& g, Number* out) {
       out[0] = g * rounded(1 / (1 + x[0].v * x[0].v), 0, 0, 2, precision.smallest_normal);
     }},
    {"sinh", "sinh(a)", 1, [](Inputs x) { return sinh(x[0]); },
     [](const Number* x) { return function_of(x[0], std::sinh(x[0].v), 1, 3); },
     [](const Number* x, const Number& g, Number* out) {
       out[0] = g * function_of(x[0], std::cosh(x[0].v), 1, 3);
     }},
    {"cosh", "cosh(a)", 1, [](Inputs x) { return cosh(x[0]); },
     [](const Number* x) { return function_of(x[0], std::cosh(x[0].v), 1, 3); },
     [](const Number* x, const Number& g, Number* out) {
       out[0] = g * function_of(x[0], std::sinh(x[0].v), 1, 3);
     }},
    {"asinh", "asinh(a)", 1, [](Inputs x) { return asinh(x[0]); },
     [](const Number* x) { return function_of(x[0], std::asinh(x[0].v), 1, 2); },
     [](const Number* x, const Number& g, Number* out) {
       out[0] = g * rounded(1 / std::hypot(1, x[0].v), 0, 0, 2);
     }},
    {"acosh", "acosh(a)", 1, [](Inputs x) { return acosh(x[0]); },
     [](const Number* x) { return function_of(x[0], std::acosh(x[0].v), 1, 2); },
     [](const Number* x, const Number& g, Number* out) {
       const Real slope = 1 / (std::sqrt(x[0].v - 1) * std::sqrt(x[0].v + 1));
       out[0] = outside(x[0], 1, infinity) ? anything() : g * rounded(slope, 0, 0, 3);
     }},
    {"atanh", "atanh(a)", 1, [](Inputs x) { return atanh(x[0]); },
     [](const Number* x) { return function_of(x[0], std::atanh(x[0].v), 1, 2); },
     [](const Number* x, const Number& g, Number* out) {
       out[0] = outside(x[0], -1, 1) ? anything() : g / ((Real{1} - x[0]) * (Real{1} + x[0]));
     }},
    // formulas
    {"gelu", "gelu(a)", 1, [](Inputs x) { return gelu(x[0]); },
     [](const Number* x) { return gelu_of(x[0]); },
     [](const Number* x, const Number& g, Number* out) {
       const Number slope = gelu_slope(x[0]);
       out[0] = is_infinite(x[0]) ? anything() : g * slope;
       out[0].peak = std::max(out[0].peak, (g * x[0] * x[0]).peak);
     }},
    {"silu", "silu(a)", 1, [](Inputs x) { return silu(x[0]); },
     [](const Number* x) { return x[0] * sigmoid(x[0]); },
     [](const Number* x, const Number& g, Number* out) {
       const Number s = sigmoid(x[0]);
       out[0] = is_infinite(x[0]) ? anything() : g * s + g * x[0] * (s * (Real{1} - s));
     }},
    {"clamp", "clamp(a, -1, 2)", 1, [](Inputs x) { return clamp(x[0], -1, 2); },
     [](const Number* x) { return x[0].v < -1  ? Number(-1)
                                  : x[0].v > 2 ? Number(2)
                                               : x[0]; },
     [](const Number* x, const Number& g, Number* out) {
       out[0] = is_nan(x[0]) ? anything() : x[0].v >= -1 && x[0].v <= 2 ? g : zero();
     }},
    {"clamp by tensors", "clamp(a, b, c)", 3, [](Inputs x) { return clamp(x[0], x[1], x[2]); },
     [](const Number* x) {
       if (is_nan(x[1]) || is_nan(x[2])) return anything();
       const Number above = x[0].v < x[1].v ? x[1] : x[0];
       return above.v > x[2].v ? x[2] : above;
     },
     [](const Number* x, const Number& g, Number* out) {
       out[0] = out[1] = out[2] =
           is_nan(x[0]) || is_nan(x[1]) || is_nan(x[2]) ? anything() : zero();
       const bool low = x[0].v < x[1].v;
       out[(low ? x[1].v : x[0].v) > x[2].v ? 2 : low ? 1 : 0] = g;
       if (is_nan(x[0]) || is_nan(x[1]) || is_nan(x[2])) out[0] = out[1] = out[2] = anything();
     }},
    {"a formula of its own", "softsign(a)", 1,
     [](Inputs x) {
       static const Pointwise softsign{"softsign", [](Expr x) { return x / (1 + abs(x)); }};
       return softsign(x[0]);
     },
     [](const Number* x) { return x[0] / (Real{1} + abs(x[0])); },
     [](const Number* x, const Number& g, Number* out) {
       const Number d = Real{1} + abs(x[0]);  // the formula's 1/d − |x|/d² cancels
       out[0] =
           is_infinite(x[0]) || is_nan(x[0]) ? anything() : g * (Real{1} / d - abs(x[0]) / d / d);
     }},
};

/// Losses: of predictions a, targets b and perhaps weights c.
const std::vector<Function> losses{
    {"mse_loss", "mse_loss(a, b", 2, nullptr,
     [](const Number* x) { return (x[0] - x[1]) * (x[0] - x[1]); },
     [](const Number* x, const Number& g, Number* out) {
       out[0] = g * (Real{2} * (x[0] - x[1]));
       out[1] = -out[0];
     }},
    {"l1_loss", "l1_loss(a, b", 2, nullptr, [](const Number* x) { return abs(x[0] - x[1]); },
     [](const Number* x, const Number& g, Number* out) {
       const Real d = x[0].v - x[1].v;
       out[0] = std::isnan(d) ? anything() : d > 0 ? g : d < 0 ? -g : zero();
       out[1] = -out[0];
     }},
    {"huber_loss", "huber_loss(a, b, 0.75", 2, nullptr,
     [](const Number* x) {
       const Number d = abs(x[0] - x[1]), delta = Real{0.75L};
       const Number inner = d.v > delta.v ? delta : d;
       return inner * (d - Real{0.5L} * inner);
     },
     [](const Number* x, const Number& g, Number* out) {
       const Number d = x[0] - x[1], delta = Real{0.75L};
       out[0] = is_nan(d) ? anything() : g * (d.v > delta.v ? delta : d.v < -delta.v ? -delta : d);
       out[1] = -out[0];
     }},
    {"binary_cross_entropy_with_logits", "binary_cross_entropy_with_logits(a, b", 2, nullptr,
     [](const Number* x) { return x[1] * softplus(-x[0]) + (Real{1} - x[1]) * softplus(x[0]); },
     [](const Number* x, const Number& g, Number* out) {
       out[0] = g * ((Real{1} - x[1]) * sigmoid(x[0])) - g * (x[1] * sigmoid(-x[0]));
       out[0].peak = std::max(out[0].peak, peak_of(g * x[1]));
       if (is_infinite(x[1])) out[0] = anything();  // targets are in [0, 1]
       out[1] = g * softplus(-x[0]) - g * softplus(x[0]);
     }},
    {"kl_div", "kl_div(a, b", 2, nullptr,
     [](const Number* x) { return x[1].v == 0 ? zero() : x[1] * (log(x[1]) - x[0]); },
     [](const Number* x, const Number& g, Number* out) {
       out[0] = x[1].v == 0 ? zero() : -(g * x[1]);
       out[1] = x[1].v == 0 ? zero() : g * (log(x[1]) - x[0]) + g * x[1] / x[1];
     }},
    {"kl_div of logarithms", "kl_div(a, b", 2, nullptr,
     [](const Number* x) {
       if (std::exp(x[1].v) <= precision.smallest_normal) return anything();
       return exp(x[1]) * (x[1] - x[0]);
     },
     [](const Number* x, const Number& g, Number* out) {
       const Number t = exp(x[1]);
       out[0] = -(g * t);
       out[1] = g * t * (x[1] - x[0]) + g * t;
       out[1].peak = std::max(out[1].peak, peak_of(g * (x[1] - x[0])));
       if (std::exp(x[1].v) <= precision.smallest_normal) out[1] = anything();
     }},
};

Tensor loss(size_t which, Inputs x, Reduction reduction) {
  switch (which) {
    case 0:
      return mse_loss(x[0], x[1], reduction);
    case 1:
      return l1_loss(x[0], x[1], reduction);
    case 2:
      return huber_loss(x[0], x[1], 0.75, reduction);
    case 3:
      return binary_cross_entropy_with_logits(x[0], x[1], {.reduction = reduction});
    case 4:
      return kl_div(x[0], x[1], {.reduction = reduction});
    default:
      return kl_div(x[0], x[1], {.log_target = true, .reduction = reduction});
  }
}

Op op_of(const Function& f) {
  return {f.name, [f](Draw& draw) {
            const Shape shape = draw.shape();
            draw.input(f.arity > 1 ? draw.broadcasting(shape) : shape);
            for (int i = 1; i < f.arity; ++i)
              draw.input(i + 1 == f.arity ? shape : draw.broadcasting(shape), true, true);
            return Case{f.code, f.library, [f](const Arrays& x) { return apply(f, x); },
                        [f](const Arrays& x, const Array& g) { return gradients(f, x, g); }};
          }};
}

Op op_of_loss(size_t which) {
  const Function f = losses[which];
  return {f.name, [which, f](Draw& draw) {
            const Shape shape = draw.shape();
            draw.input(shape);
            draw.input(shape, true, true);
            const auto reduction = static_cast<Reduction>(draw.between(0, 2));
            const char* names[] = {"mean", "sum", "none"};
            const std::string name =
                fmt::format("Reduction::{}", names[static_cast<int>(reduction)]);
            Case c;
            const char* before = which < 3   ? ""
                                 : which < 5 ? "{.reduction = "
                                             : "{.log_target = true, .reduction = ";
            c.code = fmt::format("{}, {}{}{})", f.code, before, name, which < 3 ? "" : "}");
            c.library = [=](Inputs x) { return loss(which, x, reduction); };
            c.value = [=](const Arrays& x) {
              const Array each = apply(f, x);
              if (reduction == Reduction::none) return each;
              Array result{Shape{}};
              result[0] = sum(each.values);
              if (reduction == Reduction::mean) result[0] = result[0] / Real(each.size());
              return result;
            };
            c.gradients = [=](const Arrays& x, const Array& g) {
              Array each(x[0].shape);
              for (int64_t i = 0; i < each.size(); ++i)
                each[i] = reduction == Reduction::none  ? g[i]
                          : reduction == Reduction::sum ? g[0]
                                                        : g[0] / Real(each.size());
              return gradients(f, x, each);
            };
            return c;
          }};
}

template <class... Row>
std::vector<std::string> names_of(simd::List<Row...>) {
  return {Row::name...};
}

}  // namespace

TEST_CASE("each scalar function of random tensors is within its ulps, and so is its gradient") {
  std::vector<Op> ops;
  for (const Function& f : functions) ops.push_back(op_of(f));
  check(ops, 2'500'000);
}

TEST_CASE(
    "elementwise losses of random tensors are within their ulps, and so are their gradients") {
  std::vector<Op> ops;
  for (size_t i = 0; i < losses.size(); ++i) ops.push_back(op_of_loss(i));
  check(ops, 1'000'000);
}

TEST_CASE("the differential test knows every row of the table of scalar functions") {
  for (const std::string& name : names_of(simd::Functions{})) {
    CAPTURE(name);
    CHECK(std::any_of(functions.begin(), functions.end(),
                      [&](const Function& f) { return f.name == name; }));
  }
}

}  // namespace gradus::differential
