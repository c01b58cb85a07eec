#pragma once

#include "core/autograd/autograd.h"

namespace gradus {

/// What an LSTM does with its inputs once they are projected, as one op (see
/// layers/recurrent/lstm.h): for each time step, or backwards from the last,
///
///     i, f, g, o = projected[t] + h · Wᵀ
///     c′ = σ(f) · c + σ(i) · tanh(g)
///     h′ = σ(o) · tanh(c′)
///
/// `projected` is (time, batch, 4 · hidden), or (batch, 4 · hidden) for a single step, W (4 ·
/// hidden, hidden), the state before it, h and c, (batch, hidden). Where `reached` (batch, time) is
/// 0 a row has ended and keeps its state; undefined, all rows have all time steps. Returns h and c
/// after each step, stacked: (2, time, batch, hidden), or (2, batch, hidden). Throws Error when
/// dtypes differ; the layer has checked the shapes.
Tensor lstm_recurrence(const Tensor& projected, const Tensor& weight, const Tensor& h,
                       const Tensor& c, const Tensor& reached = {}, bool backward = false);

}  // namespace gradus
