#pragma once

#include "core/functions/mask.h"
#include "core/tensor/random.h"
#include "layers/recurrent/recurrent.h"

namespace gradus {

/// The state of an LSTM: h and c, both (batch, hidden).
struct LSTMState {
  Tensor h, c;
};
using LSTMSteps = RecurrentSteps<LSTMState>;
using LSTMOutput = RecurrentOutput<LSTMState>;

/// One step of long short-term memory (Hochreiter & Schmidhuber 1997) with a forget gate (Gers,
/// Schmidhuber, Cummins 2000):
///
///     i, f, g, o = x · W_ihᵀ + h · W_hhᵀ + b
///     c′ = σ(f) · c + σ(i) · tanh(g)
///     h′ = σ(o) · tanh(c′)
///
/// Everything but x · W_ihᵀ + b is one op for all time steps, one op for each of them inside
/// StepByStep, and a few ops for each inside NoFusion (core/autograd/fused.h). All parameters start
/// as U(±1/√hidden).
/// Throws Error for sizes that do not fit.
struct LSTMCell {
  LSTMCell(int64_t in, int64_t hidden, Generator& generator);

  /// One time step: x (batch, in).
  LSTMState operator()(const Tensor& x, const LSTMState& before) const;
  /// x · W_ihᵀ + b, (…, in) → (…, 4 · hidden): the part that does not depend on the state.
  Tensor project(const Tensor& x) const;
  /// One time step from project(x), (batch, 4 · hidden).
  LSTMState step(const Tensor& projected, const LSTMState& before) const;
  /// All time steps, one after the other, from project(x), (time, batch, 4 · hidden).
  LSTMSteps steps(const Tensor& projected, const LSTMState& before) const;
  /// Zeros.
  LSTMState initial(int64_t batch) const;
  int64_t in() const { return weight_ih.size(1); }
  int64_t hidden() const { return weight_hh.size(1); }

  Tensor weight_ih;  ///< (4 · hidden, in), gates i, f, g, o
  Tensor weight_hh;  ///< (4 · hidden, hidden)
  Tensor bias;       ///< (4 · hidden), or undefined

  void parameters(auto&& visit) {
    visit("weight_ih", weight_ih);
    visit("weight_hh", weight_hh);
    visit("bias", bias);
  }
};

/// LSTM cells over whole sequences, stacked and in one or both directions: x (batch, time, in).
///
/// The mask is (batch, time), one of lengths or with zeros only behind ones; without it every row
/// has all time steps. What stands beyond a row's length changes nothing, not even a bit, and the
/// backward direction starts at each row's own end. `initial` states come in the order of
/// LSTMOutput::states, zeros if there are none. Without a generator nothing is dropped.
/// Throws Error when x, the mask or the initial states do not fit.
struct LSTM {
  LSTM(int64_t in, int64_t hidden, Generator& generator, RecurrentOptions options = {});

  LSTMOutput operator()(const Tensor& x, const Mask& mask = {},
                        Generator* generator = nullptr) const;
  LSTMOutput operator()(const Tensor& x, const std::vector<LSTMState>& initial,
                        const Mask& mask = {}, Generator* generator = nullptr) const;

  std::vector<LSTMCell> forward, backward;  ///< a cell for each layer; backward may be empty
  double dropout;

  void parameters(auto&& visit) {
    visit("forward", forward);
    visit("backward", backward);
  }
};

}  // namespace gradus
