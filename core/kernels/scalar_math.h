#pragma once

/// exp, sigmoid and tanh on SIMD batches V, for core/kernels/scalar_functions.h: in float32 by
/// shorter formulas than the SIMD library's, within 8 units in the last place (6 where the
/// processor fuses multiplications with additions); in float64 by the library's. The coefficients
/// are minimax fits (relative error, Remez exchange) made for these ranges.
namespace gradus::scalar_math {

template <class V>
constexpr bool is_float32 = sizeof(typename V::value_type) == sizeof(float);

/// c₀ + x · (c₁ + x · (c₂ + …))
template <class V>
V polynomial(V, float c) {
  return V(c);
}
template <class V>
V polynomial(V x, float c, auto... more) {
  return fma(polynomial(x, more...), x, V(c));
}

/// a / b for 0 < b < 2¹²⁶, 0 for larger ones: from the processor's estimate of 1 / b, which may
/// have 12 bits only, and the remainders that it leaves. It is exact where a = b.
template <class V>
V quotient(V a, V b) {
  const V guess = reciprocal(b), inverse = fma(fma(-guess, b, V(1)), guess, guess);
  const V estimate = a * inverse;
  return fma(fma(-estimate, b, a), inverse, estimate);
}

/// eˣ = 2ⁿ · eʳ with n = ⌊x / ln 2⌋, 0 ≤ r < ln 2. Below 2⁻¹²⁶ it is 0.
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
    return exp(x);
  }
}

/// 1 / (1 + e⁻ˣ); below 2⁻¹²⁶ it is 0.
template <class V>
V sigmoid(V x) {
  if constexpr (is_float32<V>)
    return select(x < V(-87), V(0), quotient(V(1), V(1) + exponential(-x)));
  else
    return V(1) / (V(1) + exp(-x));
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
    return max(V(-1), min(V(1), quotient(x * p, q)));
  } else {
    return tanh(x);
  }
}

}  // namespace gradus::scalar_math
