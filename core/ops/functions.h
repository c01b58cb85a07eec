#pragma once

#include <type_traits>

#include "core/ops/pointwise.h"

/// Elementwise functions that are formulas of others. exp, relu, floor and so on are rows of the
/// table in core/ops/scalar.h.
namespace gradus {

/// x · Φ(x) with the normal distribution Φ (Hendrycks & Gimpel 2016), exact, not the tanh form.
inline const Pointwise gelu{"gelu",
                            [](Expr x) { return x * 0.5 * (1 + erf(x * 0.7071067811865476)); }};
/// x · sigmoid(x)
inline const Pointwise silu{"silu", [](Expr x) { return x * sigmoid(x); }};

/// x, but `low` where it is below and `high` where it is above; −∞ and ∞ for no bound. NaN stays.
/// The derivative is 1 from `low` to `high`, both included, as in PyTorch, 0 elsewhere; where
/// low > high it is high. Bounds are numbers, or tensors that broadcast.
template <class L, class H>
requires Operands<Tensor, L, H> Tensor clamp(const Tensor& x, const L& low, const H& high) {
  static const Pointwise& formula = *new Pointwise("clamp", [](Expr x, Expr low, Expr high) {
    const Expr above = where(less(x, low), low, x);
    return where(greater(above, high), high, above);
  });
  auto bound = [&](const auto& value) {
    using B = std::decay_t<decltype(value)>;
    if constexpr (std::same_as<B, Tensor>)
      return value;
    else
      return scalar::number(value, x.dtype());
  };
  return formula(x, bound(low), bound(high));
}

}  // namespace gradus
