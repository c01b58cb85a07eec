#pragma once

#include "core/trace/trace.h"

namespace gradus::testing {

/// A trace of what f computes.
template <class F>
Trace recorded(F f) {
  Trace trace;
  const auto recording = trace.record();
  f();
  return trace;
}

}  // namespace gradus::testing
