#pragma once

#include <vector>

#include "core/tensor/tensor.h"

namespace gradus {

/// Of an LSTM, a GRU and an RNN.
struct RecurrentOptions {
  int layers = 1;
  bool bidirectional = false;
  double dropout = 0;  ///< of what one layer hands to the next
  bool bias = true;    ///< without it the cells' biases are undefined, which stands for 0
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

/// h after each time step, (time, batch, hidden), and the state after the last one.
template <class State>
struct RecurrentSteps {
  Tensor h;
  State last;
};

template <class State>
struct RecurrentOutput {
  Tensor output;              ///< (batch, time, directions · hidden), zero beyond each length
  std::vector<State> states;  ///< final; layer 0 forward, layer 0 backward, layer 1 …
};

}  // namespace gradus
