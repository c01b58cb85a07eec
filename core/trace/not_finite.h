#pragma once

#include "core/trace/trace.h"

/// Where NaN and infinities begin: at the op that made them, not at those that they came to.
namespace gradus {

/// How far numbers are from finite: 0, 1 with infinities, 2 with NaN.
int worst_number(const TraceTensor& x);

/// Whether the node's value is worse than all that it was made of. Of a constant: whether it holds
/// NaN; an infinity it may hold on purpose, as masks do.
bool value_breaks(const Trace& trace, int number);

/// Whether gradients become worse at the node: by its rule, so that what it sends to an input is
/// worse than its gradient; or in its gradient, where that is worse than all parts of it (their sum
/// overflows, or the backward pass began so).
bool gradient_breaks(const Trace& trace, int number);

}  // namespace gradus
