#pragma once

#include "core/tensor/random.h"

namespace gradus {

/// What an LSTM remembers: h and c, both (batch, hidden).
struct LSTMState {
  Tensor h, c;
};

/// h after each time step, (time, batch, hidden), and what the LSTM remembers after the last.
struct LSTMSteps {
  Tensor h;
  LSTMState last;
};

/// While it lives, recurrent layers on this thread run each time step as an op of its own instead
/// of all of them as one: for traces that show them. Values agree up to rounding.
class StepByStep {
 public:
  explicit StepByStep(bool active = true);
  ~StepByStep();
  StepByStep(const StepByStep&) = delete;
  StepByStep& operator=(const StepByStep&) = delete;

  static bool in_force();

 private:
  bool before_;
};

/// Long short-term memory (Hochreiter & Schmidhuber 1997) with a forget gate (Gers, Schmidhuber,
/// Cummins 2000):
///
///     i, f, g, o = x · W_ihᵀ + h · W_hhᵀ + b
///     c′ = σ(f) · c + σ(i) · tanh(g)
///     h′ = σ(o) · tanh(c′)
///
/// All but x · W_ihᵀ + b is one op for all time steps, one op for each inside StepByStep, and plain
/// ops inside NoFusion (core/autograd/fused.h). All parameters start as U(±1/√hidden). Errors are
/// thrown for sizes that do not fit.
struct LSTMCell {
  LSTMCell(int64_t in, int64_t hidden, Generator& generator);

  /// One time step: x (batch, in).
  LSTMState operator()(const Tensor& x, const LSTMState& before) const;
  /// x · W_ihᵀ + b, (…, in) → (…, 4 · hidden): the part that does not wait for the time before.
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
  Tensor bias;       ///< (4 · hidden)

  void parameters(auto&& visit) {
    visit("weight_ih", weight_ih);
    visit("weight_hh", weight_hh);
    visit("bias", bias);
  }
};

struct LSTMOptions {
  int layers = 1;
  bool bidirectional = false;
  double dropout = 0;  ///< of what one layer hands to the next
};

struct LSTMOutput {
  Tensor output;                  ///< (batch, time, directions · hidden), zero beyond each length
  std::vector<LSTMState> states;  ///< final; layer 0 forward, layer 0 backward, layer 1 …
};

/// LSTM cells over whole sequences, stacked and in one or both directions: x (batch, time, in).
/// Row b has lengths[b] time steps (all of them if no lengths are given): what lies beyond changes
/// nothing, not even a bit, and the backward direction starts at each row's own end.
/// `initial` states come in the order of LSTMOutput::states, zeros if none are given; without a
/// generator nothing is dropped.
/// Throws Error when x, the lengths or the initial states do not fit.
struct LSTM {
  LSTM(int64_t in, int64_t hidden, Generator& generator, LSTMOptions options = {});

  LSTMOutput operator()(const Tensor& x, std::span<const int64_t> lengths = {},
                        const std::vector<LSTMState>& initial = {},
                        Generator* dropout = nullptr) const;

  std::vector<LSTMCell> forward, backward;  ///< a cell for each layer; backward may be empty
  double dropout;

  void parameters(auto&& visit) {
    visit("forward", forward);
    visit("backward", backward);
  }
};

}  // namespace gradus
