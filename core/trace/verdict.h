#pragma once

#include <functional>

#include "core/trace/trace.h"

namespace gradus {

/// Checks the gradient rule of one op against differences of the op's own computation, in
/// float64, on the recorded inputs x: for L = Σ w · y with irregular weights w,
///
///     Σ v · dL/dx by the rule   against   (L(x + hv) − L(x − hv)) / 2h
///
/// Inputs of up to 64 elements are moved one element at a time; those of larger ones all at once,
/// each by another amount, so that no element goes unlooked at, and only where that disagrees
/// halving finds an element that is wrong. Elements of y that are not finite (log(x) at 0), or are
/// not on one side (√x at 0), or that lie on a kink (|x| at 0), take no part, nor do elements of x
/// that only these depend on. The verdict stays with the trace and goes into its file.
/// A loaded trace has the verdicts that it was saved with; Error where there is none.
const Verdict& check(Trace& trace, int number);

/// All ops that have a derivative. Returns the numbers of those that disagree. `progress(done, of)`
/// is asked before each whether to go on.
std::vector<int> check(Trace& trace, const std::function<bool(int done, int of)>& progress = {});

}  // namespace gradus
