#pragma once

/// exp, sigmoid, tanh, log and erf on SIMD batches V, for core/kernels/scalar_functions.h. In
/// float32, exp, sigmoid and tanh are shorter formulas than the SIMD library's, within 8 units in
/// the last place (6 where the processor fuses multiplications with additions); their coefficients
/// are minimax fits (relative error, Remez exchange) made for these ranges. No formula uses the
/// processor's estimates of reciprocals, which differ from one instruction set to another.
namespace gradus::scalar_math {

template <class V>
constexpr bool is_float32 = sizeof(typename V::value_type) == sizeof(float);

template <class V>
V constant(double c) {
  return V(static_cast<typename V::value_type>(c));
}

/// c₀ + x · (c₁ + x · (c₂ + …))
template <class V>
V polynomial(V, double c) {
  return constant<V>(c);
}
template <class V>
V polynomial(V x, double c, auto... more) {
  return fma(polynomial(x, more...), x, constant<V>(c));
}

/// 2ⁿ for a whole number n of a float64 within its exponents.
template <class V>
V power_of_two(V n) {
  const V shifted = n + V(0x1.8p52 + 1023);  // the exponent stands in the lowest bits
  return bitwise_cast<V>(bitwise_cast<decltype(to_int(n))>(shifted) << 52);
}

/// eˣ = 2ⁿ · eʳ. In float32 n = ⌊x / ln 2⌋, and what is below 2⁻¹²⁶ is 0. In float64 n is the
/// nearest, eʳ its Taylor polynomial, and 2ⁿ two factors, so that results may be subnormal.
template <class V>
V exponential(V x) {
  if constexpr (is_float32<V>) {
    // The bounds are 2ⁿ = 0 and 2ⁿ = ∞; in this order min and max keep a NaN.
    x = max(V(-88.02f), min(V(89.4f), x));
    // Adding 1.5 · 2²³ rounds to a whole number, which then stands in the lowest bits.
    const V shifted = fma(x, V(1.44269504f), V(-0.5)) + V(12582912 + 127);
    const V n = shifted - V(12582912 + 127);
    const V r = fma(n, V(2.12194440e-4f), fma(n, V(-0.693359375f), x));
    const V power = polynomial(r, 1.f, 0.999999716193f, 0.500006929543f, 0.166604308831f,
                               0.0419296765428f, 0.00777467372416f, 0.00195682554673f);
    return power * bitwise_cast<V>(bitwise_cast<decltype(to_int(x))>(shifted) << 23);
  } else {
    x = max(V(-746), min(V(710), x));
    const V n = fma(x, V(1.4426950408889634), V(0x1.8p52)) - V(0x1.8p52);
    const V r = fma(n, V(-1.90821492927058770002e-10), fma(n, V(-6.93147180369123816490e-01), x));
    const V power =
        polynomial(r, 1., 1., 1. / 2, 1. / 6, 1. / 24, 1. / 120, 1. / 720, 1. / 5040, 1. / 40320,
                   1. / 362880, 1. / 3628800, 1. / 39916800, 1. / 479001600, 1. / 6227020800);
    const V half = fma(n, V(0.5), V(0x1.8p52)) - V(0x1.8p52);
    return power * power_of_two(half) * power_of_two(n - half);
  }
}

/// 1 / (1 + e⁻ˣ); in float32 what is below 2⁻¹²⁶ is 0.
template <class V>
V sigmoid(V x) {
  if constexpr (is_float32<V>) {
    return select(x < V(-87), V(0), V(1) / (V(1) + exponential(-x)));
  } else {
    const V e = exponential(-abs(x));
    return select(x < V(0), e, V(1)) / (V(1) + e);
  }
}

/// x · P(x²) / Q(x²) up to 9, where tanh rounds to 1.
template <class V>
V hyperbolic_tangent(V x) {
  if constexpr (is_float32<V>) {
    x = max(V(-9), min(V(9), x));
    const V z = x * x;
    const V p = polynomial(z, 1.f, 0.136808876606f, 3.86954607896e-3f, 2.80320177862e-5f,
                           3.06439881449e-8f, -1.22471194018e-11f);
    const V q =
        polynomial(z, 1.f, 0.470142197622f, 0.0272502986708f, 3.94077832126e-4f, 1.28908126054e-6f);
    const V y = max(V(-1), min(V(1), x * p / q));
    return select(abs(x) < V(9), y, select(x < V(0), V(-1), select(x > V(0), V(1), y)));
  } else {
    return tanh(x);
  }
}

/// ln x, of subnormal numbers, too.
template <class V>
V logarithm(V x) {
  constexpr bool is_float = is_float32<V>;
  const V smallest = is_float ? constant<V>(0x1p-126) : constant<V>(0x1p-1022);
  const auto is_small = x < smallest && x > V(0);
  const V scaled = log(select(is_small, x * constant<V>(0x1p64), x));
  return select(is_small, scaled - constant<V>(44.361419555836498), scaled);  // 64 · ln 2
}

/// eˣ − 1, up to the largest numbers.
template <class V>
V exponential_minus_one(V x) {
  return select(x > V(40), exponential(x), expm1(x));
}

/// f(x) and f(x, y) lane by lane: the C library's functions, right to a unit in the last place
/// everywhere.
template <class V, class F>
V each_lane(V a, F f) {
  alignas(64) typename V::value_type x[V::size];
  a.store_aligned(x);
  for (unsigned i = 0; i < V::size; ++i) x[i] = f(x[i]);
  return V::load_aligned(x);
}
template <class V, class F>
V each_lane(V a, V b, F f) {
  alignas(64) typename V::value_type x[V::size], y[V::size];
  a.store_aligned(x);
  b.store_aligned(y);
  for (unsigned i = 0; i < V::size; ++i) x[i] = f(x[i], y[i]);
  return V::load_aligned(x);
}

/// erf x. In float32 it rounds to ±1 beyond ±4.
template <class V>
V error_function(V x) {
  if constexpr (is_float32<V>)
    return erf(max(V(-4), min(V(4), x)));
  else
    return each_lane(x, [](double x) { return __builtin_erf(x); });
}

}  // namespace gradus::scalar_math
