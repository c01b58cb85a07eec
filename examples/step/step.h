#pragma once

#include <functional>

#include "core/tensor/scope.h"
#include "examples/step/language.h"

namespace gradus::step {

/// Records what `compute` computes, a forward and a backward pass, and steps through it in the
/// terminal: with set, breakpoints, provenance, the doctor and all other commands that `help`
/// lists.
///
///     #include "examples/step/step.h"
///
///     gradus::step::step_through([&] { model.loss(batch).backward(); }, layer_names(model));
///
/// Commands come from standard input. Returns the exit status: 0, or 1 where commands came from a
/// script and one failed. Throws what `compute` throws.
int step_through(const std::function<void()>& compute, LayerNames names = {},
                 Language language = language_of_environment());

}  // namespace gradus::step
