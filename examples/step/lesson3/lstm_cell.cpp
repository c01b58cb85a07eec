#include "core/autograd/fused.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/random.h"
#include "core/tensor/scope.h"
#include "core/tensor/tensor.h"
#include "examples/step/lessons.h"
#include "layers/parameters.h"
#include "layers/recurrent/lstm.h"

namespace gradus::step {

namespace {

struct Memory {
  LSTMCell cell;

  void parameters(auto&& visit) { visit("cell", cell); }
};

}  // namespace

Trace lstm_cell() {
  Generator generator(1);
  Memory model{LSTMCell(1, 1, generator)};
  model.cell.bias.assign(tensor({0, 4, 0, 0}));  // of the gates i, f, z, o: f is open
  const Tensor x = tensor({{{1}}, {{-1}}, {{0.5}}, {{2}}});

  Trace trace;
  {
    const NoFusion steps;  // of the cell, which is one op otherwise
    const auto recording = trace.record(layer_names(model));
    LSTMState state = model.cell.initial(1);
    for (int64_t t = 0; t < 4; ++t) {
      const Scope step(t);
      state = model.cell(x[t], state);
    }
    const Tensor loss = sum(state.h * state.h);
    loss.backward();
  }
  return trace;
}

}  // namespace gradus::step
