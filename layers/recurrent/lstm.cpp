#include "layers/recurrent/lstm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/autograd/scope.h"
#include "core/ops/dropout.h"
#include "core/ops/mask.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/tensor/error.h"
#include "layers/initialise.h"
#include "layers/recurrent/recurrence.h"

namespace gradus {

namespace {

thread_local bool step_by_step = false;

void check(const LSTMCell& cell, const char* what, const Tensor& x, const Shape& wanted) {
  if (x.shape() != wanted)
    throw Error(fmt::format("lstm: wants {} {} for weights {} and {}, was given {}", what,
                            wanted.text(), cell.weight_ih.description(),
                            cell.weight_hh.description(), x.description()));
}

void check(const LSTMCell& cell, const LSTMState& state, int64_t batch) {
  check(cell, "a state h", state.h, {batch, cell.hidden()});
  check(cell, "a state c", state.c, {batch, cell.hidden()});
}

/// Which rows have which time steps.
struct Lengths {
  int64_t shortest, longest;
  Mask mask;  // (batch, longest); undefined where every row has all of them

  explicit Lengths(int64_t time) : shortest(time), longest(time) {}
  Lengths(std::span<const int64_t> lengths, const Tensor& x) : Lengths(x.shape()[1]) {
    const int64_t batch = x.shape()[0], time = longest;
    if (lengths.empty()) return;
    if (static_cast<int64_t>(lengths.size()) != batch)
      throw Error(fmt::format("lstm: {} lengths for a batch of {}, x is {}", lengths.size(), batch,
                              x.description()));
    for (size_t b = 0; b < lengths.size(); ++b)
      if (lengths[b] < 0 || lengths[b] > time)
        throw Error(fmt::format("lstm: length {} of row {} is outside [0, {}], x is {}", lengths[b],
                                b, time, x.description()));
    const auto [least, most] = std::ranges::minmax(lengths);
    shortest = least, longest = most;
    if (shortest < longest) mask = Mask::lengths(lengths, longest);
  }
};

LSTMSteps run(const LSTMCell& cell, const Tensor& projected, const Lengths& lengths, bool backward,
              const LSTMState& before) {
  const Scope scope(&cell);
  const int64_t time = projected.shape()[0];
  const Tensor reached =
      lengths.mask.defined() ? lengths.mask.attended(projected.dtype()) : Tensor();
  if (!StepByStep::in_force()) {
    const Tensor states =
        lstm_recurrence(projected, cell.weight_hh, before.h, before.c, reached, backward);
    const Tensor h = states[0], c = states[1];
    const int64_t last = backward ? 0 : time - 1;
    return {h, {h[last], c[last]}};
  }
  LSTMState state = before;
  std::vector<Tensor> outputs(static_cast<size_t>(time));
  for (int64_t k = 0; k < time; ++k) {
    const int64_t t = backward ? time - 1 - k : k;
    const Scope now(t);
    const Tensor next =
        lstm_recurrence(projected[t], cell.weight_hh, state.h, state.c,
                        t < lengths.shortest ? Tensor() : slice(reached, 1, t, t + 1));
    state = {next[0], next[1]};
    outputs[static_cast<size_t>(t)] = state.h;
  }
  return {stack(outputs, 0), state};
}

}  // namespace

StepByStep::StepByStep(bool active) : before_(step_by_step) {
  step_by_step = step_by_step || active;
}
StepByStep::~StepByStep() { step_by_step = before_; }
bool StepByStep::in_force() { return step_by_step; }

LSTMCell::LSTMCell(int64_t in, int64_t hidden, Generator& generator) {
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  weight_ih = uniform({4 * hidden, in}, bound, generator).require_grad();
  weight_hh = uniform({4 * hidden, hidden}, bound, generator).require_grad();
  bias = uniform({4 * hidden}, bound, generator).require_grad();
}

LSTMState LSTMCell::initial(int64_t batch) const {
  const Tensor zero = zeros({batch, hidden()}, weight_hh.dtype());
  return {zero, zero};
}

Tensor LSTMCell::project(const Tensor& x) const {
  const Scope scope(this);
  if (x.rank() < 2 || x.shape().back() != in())
    throw Error(fmt::format("lstm: wants x (…, {}) for a weight {}, was given {}", in(),
                            weight_ih.description(), x.description()));
  return linear(x, weight_ih, bias);
}

LSTMState LSTMCell::step(const Tensor& projected, const LSTMState& before) const {
  if (projected.rank() != 2 || projected.shape()[1] != 4 * hidden())
    throw Error(fmt::format("lstm: wants projected (batch, {}) for a weight {}, was given {}",
                            4 * hidden(), weight_hh.description(), projected.description()));
  check(*this, before, projected.shape()[0]);
  const Scope scope(this);
  const Tensor next = lstm_recurrence(projected, weight_hh, before.h, before.c);
  return {next[0], next[1]};
}

LSTMSteps LSTMCell::steps(const Tensor& projected, const LSTMState& before) const {
  if (projected.rank() != 3 || projected.shape()[2] != 4 * hidden() || projected.shape()[0] == 0)
    throw Error(fmt::format("lstm: wants projected (time, batch, {}) for a weight {}, was given {}",
                            4 * hidden(), weight_hh.description(), projected.description()));
  check(*this, before, projected.shape()[1]);
  return run(*this, projected, Lengths(projected.shape()[0]), false, before);
}

LSTMState LSTMCell::operator()(const Tensor& x, const LSTMState& before) const {
  if (x.rank() != 2)
    throw Error(
        fmt::format("lstm: a cell wants x (batch, {}), was given {}", in(), x.description()));
  return step(project(x), before);
}

LSTM::LSTM(int64_t in, int64_t hidden, Generator& generator, LSTMOptions options)
    : dropout(options.dropout) {
  if (options.layers < 1)
    throw Error(fmt::format("lstm: wants at least one layer, was given {}", options.layers));
  for (int layer = 0; layer < options.layers; ++layer) {
    const int64_t size = layer == 0 ? in : hidden * (options.bidirectional ? 2 : 1);
    forward.emplace_back(size, hidden, generator);
    if (options.bidirectional) backward.emplace_back(size, hidden, generator);
  }
}

LSTMOutput LSTM::operator()(const Tensor& x, std::span<const int64_t> lengths,
                            const std::vector<LSTMState>& initial, Generator* generator) const {
  const Scope scope(this);
  if (x.rank() != 3 || x.shape()[2] != forward[0].in())
    throw Error(fmt::format("lstm: wants x (batch, time, {}) for a weight {}, was given {}",
                            forward[0].in(), forward[0].weight_ih.description(), x.description()));
  const int64_t batch = x.shape()[0], time = x.shape()[1];
  const Lengths steps(lengths, x);
  const size_t directions = backward.empty() ? 1 : 2;
  LSTMOutput result{{}, initial};
  if (initial.empty()) result.states.resize(forward.size() * directions, forward[0].initial(batch));
  if (result.states.size() != forward.size() * directions)
    throw Error(
        fmt::format("lstm: wants {} initial states, one a layer and direction, was given {}",
                    forward.size() * directions, initial.size()));
  for (const LSTMState& state : result.states) check(forward[0], state, batch);

  if (steps.longest == 0) {
    const int64_t size = static_cast<int64_t>(directions) * forward[0].hidden();
    result.output = zeros({batch, time, size}, x.dtype());
    return result;
  }
  // Steps that no row has are not computed at all: so more padding cannot change a bit.
  Tensor y = transpose(slice(x, 1, 0, steps.longest), 0, 1);
  for (size_t layer = 0; layer < forward.size(); ++layer) {
    if (layer > 0) y = gradus::dropout(y, dropout, generator);
    std::vector<Tensor> outputs;
    for (size_t direction = 0; direction < directions; ++direction) {
      const LSTMCell& cell = (direction == 0 ? forward : backward)[layer];
      LSTMState& state = result.states[layer * directions + direction];
      const LSTMSteps done = run(cell, cell.project(y), steps, direction == 1, state);
      state = done.last;
      outputs.push_back(done.h);
    }
    y = directions == 1 ? outputs[0] : concat(outputs, -1);
  }
  y = masked_fill(transpose(y, 0, 1), steps.mask.unsqueeze(-1), 0);
  result.output = steps.longest == time ? y : pad(y, 1, 0, time - steps.longest);
  return result;
}

}  // namespace gradus
