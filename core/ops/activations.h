#pragma once

#include "core/ops/pointwise.h"

/// Activation functions that are formulas of others; relu, sigmoid, tanh and softplus are rows of
/// the scalar table (core/ops/pointwise.h).
namespace gradus {

/// x · Φ(x) with the normal distribution Φ (Hendrycks & Gimpel 2016), exact, not the tanh form.
inline const Pointwise gelu{"gelu",
                            [](Expr x) { return x * 0.5 * (1 + erf(x * 0.7071067811865476)); }};
/// x · sigmoid(x)
inline const Pointwise silu{"silu", [](Expr x) { return x * sigmoid(x); }};

}  // namespace gradus
