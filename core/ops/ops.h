#pragma once

/// All ops on tensors. Each stands in the header of its kind, with its formula and its gradient.

#include "core/ops/gather.h"
#include "core/ops/mask.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/normalise.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"

namespace gradus {

/// x · Φ(x) with the normal distribution Φ (Hendrycks & Gimpel 2016), exact, not the tanh form.
inline const Pointwise gelu{"gelu",
                            [](Expr x) { return x * 0.5 * (1 + erf(x * 0.7071067811865476)); }};
/// x · sigmoid(x)
inline const Pointwise silu{"silu", [](Expr x) { return x * sigmoid(x); }};

}  // namespace gradus
