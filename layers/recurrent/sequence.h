#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/functions/dropout.h"
#include "core/functions/index.h"
#include "core/functions/mask.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/tensor/error.h"
#include "core/tensor/random.h"
#include "core/tensor/scope.h"
#include "layers/initialise.h"
#include "layers/recurrent/recurrence.h"
#include "layers/recurrent/recurrent.h"

/// What LSTM, GRU and RNN and their cells share: checks, and cells over whole sequences in layers
/// and directions. A public cell has weight_ih, weight_hh, bias, in() and hidden(); what differs is
/// a Kind:
///
///     using Cell, State;
///     using Recurrence;                           see layers/recurrent/recurrence.h
///     static Tensors flat(const State&);          h, or h and c
///     static State state(const Tensor& stacked);  of (states, batch, hidden)
///     static Tensor hidden_bias(const Cell&);     or undefined
namespace gradus::recurrent {

template <class Kind>
constexpr const char* name = Kind::Recurrence::name;
template <class Kind>
constexpr int64_t gates = Kind::Recurrence::gates;

template <class Kind>
void initialise(typename Kind::Cell& cell, int64_t in, int64_t hidden, Generator& generator) {
  if (in < 0 || hidden < 1)
    throw Error(
        fmt::format("{}: expected an input size of at least 0 and a hidden size of at "
                    "least 1, got {} and {}",
                    name<Kind>, in, hidden));
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  cell.weight_ih = uniform({gates<Kind> * hidden, in}, bound, generator).require_grad();
  cell.weight_hh = uniform({gates<Kind> * hidden, hidden}, bound, generator).require_grad();
  cell.bias = uniform({gates<Kind> * hidden}, bound, generator).require_grad();
}

template <class Kind>
void check_state(const typename Kind::Cell& cell, const typename Kind::State& state,
                 int64_t batch) {
  const Shape expected{batch, cell.hidden()};
  const char* part = "h";
  for (const Tensor& x : Kind::flat(state)) {
    if (x.shape() != expected)
      throw Error(fmt::format("{}: expected a state {} of shape {} for weights {} and {}, got {}",
                              name<Kind>, part, expected.text(), cell.weight_ih.description(),
                              cell.weight_hh.description(), x.description()));
    part = "c";
  }
}

template <class Kind>
Tensor project(const typename Kind::Cell& cell, const Tensor& x) {
  if (x.rank() < 2 || x.shape().back() != cell.in())
    throw Error(fmt::format("{}: expected x of shape (…, {}) for a weight {}, got {}", name<Kind>,
                            cell.in(), cell.weight_ih.description(), x.description()));
  return linear(x, cell.weight_ih, cell.bias);
}

template <class Kind>
void check_projected(const typename Kind::Cell& cell, const Tensor& projected, int rank) {
  const int64_t size = gates<Kind> * cell.hidden();
  if (projected.rank() != rank || projected.shape()[rank - 1] != size ||
      (rank == 3 && projected.shape()[0] == 0))
    throw Error(fmt::format("{}: expected projected of shape ({}batch, {}) for a weight {}, got {}",
                            name<Kind>, rank == 3 ? "time, " : "", size,
                            cell.weight_hh.description(), projected.description()));
}

/// All time steps of (time, batch, gates · hidden), without checks.
template <class Kind>
RecurrentSteps<typename Kind::State> run(const typename Kind::Cell& cell, const Tensor& projected,
                                         const typename Kind::State& before,
                                         const Lengths& lengths = nullptr, bool backward = false) {
  using Recurrence = typename Kind::Recurrence;
  const Tensor bias = Kind::hidden_bias(cell);
  const int64_t time = projected.shape()[0];
  if (!StepByStep::in_force()) {
    const Tensor states = recurrence<Recurrence>(projected, cell.weight_hh, Kind::flat(before),
                                                 bias, lengths, backward);
    const int64_t last = backward ? 0 : time - 1;
    return {states[0], Kind::state(states[{all, last}])};
  }
  typename Kind::State state = before;
  Tensors outputs(static_cast<size_t>(time));
  for (int64_t k = 0; k < time; ++k) {
    const int64_t t = backward ? time - 1 - k : k;
    const Scope now(t);
    Lengths of_step;
    if (lengths && std::ranges::min(*lengths) <= t) {
      std::vector<int64_t> has;
      for (const int64_t length : *lengths) has.push_back(t < length);
      of_step = std::make_shared<const std::vector<int64_t>>(std::move(has));
    }
    const Tensor next = recurrence<Recurrence>(projected[t], cell.weight_hh, Kind::flat(state),
                                               bias, of_step, false);
    state = Kind::state(next);
    outputs[static_cast<size_t>(t)] = next[0];
  }
  return {stack(outputs, 0), state};
}

/// A cell's functions: see LSTMCell.
template <class Kind>
RecurrentSteps<typename Kind::State> steps(const typename Kind::Cell& cell, const Tensor& projected,
                                           const typename Kind::State& before) {
  check_projected<Kind>(cell, projected, 3);
  check_state<Kind>(cell, before, projected.shape()[1]);
  return run<Kind>(cell, projected, before);
}
template <class Kind>
typename Kind::State step(const typename Kind::Cell& cell, const Tensor& projected,
                          const typename Kind::State& before) {
  check_projected<Kind>(cell, projected, 2);
  check_state<Kind>(cell, before, projected.shape()[0]);
  return Kind::state(recurrence<typename Kind::Recurrence>(
      projected, cell.weight_hh, Kind::flat(before), Kind::hidden_bias(cell), nullptr, false));
}
template <class Kind>
typename Kind::State step_of(const typename Kind::Cell& cell, const Tensor& x,
                             const typename Kind::State& before) {
  if (x.rank() != 2)
    throw Error(fmt::format("{}: expected x of shape (batch, {}) for a cell, got {}", name<Kind>,
                            cell.in(), x.description()));
  return step<Kind>(cell, project<Kind>(cell, x), before);
}

/// Of each row of x (batch, time, …) the number of its time steps. Throws Error for a mask that is
/// not (batch, time), and for one that is not made of lengths and ignores a position before one to
/// which it attends.
inline std::vector<int64_t> lengths_of(const char* layer, const Mask& mask, const Tensor& x) {
  const int64_t batch = x.shape()[0], time = x.shape()[1];
  if (!mask.defined()) return std::vector<int64_t>(static_cast<size_t>(batch), time);
  if (mask.axes() == Mask::queries_keys || mask.shape() != Shape{batch, time})
    throw Error(fmt::format("{}: expected a mask of (batch, time) ({}, {}), got {}{}, x is {}",
                            layer, batch, time,
                            mask.axes() == Mask::queries_keys ? "(queries, keys) " : "",
                            mask.shape().text(), x.description()));
  if (!mask.lengths().empty()) return {mask.lengths().begin(), mask.lengths().end()};
  std::vector<int64_t> lengths(static_cast<size_t>(batch));
  const std::vector<float> attended = mask.attended().to_vector<float>();
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t t = 0; t < time; ++t) {
      if (attended[static_cast<size_t>(b * time + t)] == 0) continue;
      int64_t& length = lengths[static_cast<size_t>(b)];
      if (length++ != t)
        throw Error(fmt::format(
            "{}: expected a mask of the first positions of each row, got one that ignores time {} "
            "of row {} and attends to time {}",
            layer, length - 1, b, t));
    }
  return lengths;
}

template <class Kind>
void make_layers(std::vector<typename Kind::Cell>& forward,
                 std::vector<typename Kind::Cell>& backward, int64_t in, int64_t hidden,
                 const RecurrentOptions& options, const auto& make) {
  if (options.layers < 1)
    throw Error(fmt::format("{}: expected at least 1 layer, got {}", name<Kind>, options.layers));
  for (int layer = 0; layer < options.layers; ++layer) {
    const int64_t size = layer == 0 ? in : hidden * (options.bidirectional ? 2 : 1);
    forward.push_back(make(size));
    if (options.bidirectional) backward.push_back(make(size));
  }
  if (options.bias) return;
  for (auto* cells : {&forward, &backward})
    for (typename Kind::Cell& cell : *cells) Kind::remove_biases(cell);
}

/// `layer` has forward, backward and dropout: see LSTM.
template <class Kind>
RecurrentOutput<typename Kind::State> over_sequences(
    const auto& layer, const Tensor& x, const std::vector<typename Kind::State>& initial,
    const Mask& mask, Generator* generator) {
  using Cell = typename Kind::Cell;
  using State = typename Kind::State;
  const Scope scope(&layer);
  const std::vector<Cell>&forward = layer.forward, &backward = layer.backward;
  if (x.rank() != 3 || x.shape()[2] != forward[0].in())
    throw Error(fmt::format("{}: expected x of shape (batch, time, {}) for a weight {}, got {}",
                            name<Kind>, forward[0].in(), forward[0].weight_ih.description(),
                            x.description()));
  const int64_t batch = x.shape()[0], time = x.shape()[1];
  const std::vector<int64_t> of_rows = lengths_of(name<Kind>, mask, x);
  const auto [shortest, longest] = of_rows.empty() ? std::ranges::minmax_result<int64_t>{time, time}
                                                   : std::ranges::minmax(of_rows);
  const Lengths lengths =
      shortest < longest ? std::make_shared<const std::vector<int64_t>>(of_rows) : nullptr;
  const size_t directions = backward.empty() ? 1 : 2;
  RecurrentOutput<State> result{{}, initial};
  if (initial.empty()) result.states.resize(forward.size() * directions, forward[0].initial(batch));
  if (result.states.size() != forward.size() * directions)
    throw Error(
        fmt::format("{}: expected {} initial states, one for each layer and direction, got {}",
                    name<Kind>, forward.size() * directions, initial.size()));
  for (const State& state : result.states) check_state<Kind>(forward[0], state, batch);

  if (longest == 0) {
    const int64_t size = static_cast<int64_t>(directions) * forward[0].hidden();
    result.output = zeros({batch, time, size}, x.dtype());
    return result;
  }
  // Steps that no row has are not computed at all: so more padding cannot change a bit.
  Tensor y = slice(x, 1, 0, longest);
  const Mask seen = lengths ? Mask::lengths(of_rows, longest).unsqueeze(-1) : Mask();
  // What lies beyond a length may be NaN, and 0 · NaN would go into the gradients of the weights.
  y = transpose(masked_fill(y, seen, 0), 0, 1);
  for (size_t i = 0; i < forward.size(); ++i) {
    if (i > 0) y = dropout(y, layer.dropout, generator);
    std::vector<Tensor> outputs;
    for (size_t direction = 0; direction < directions; ++direction) {
      const Cell& cell = (direction == 0 ? forward : backward)[i];
      State& state = result.states[i * directions + direction];
      const Scope scope(&cell);
      const auto done = run<Kind>(cell, project<Kind>(cell, y), state, lengths, direction == 1);
      state = done.last;
      outputs.push_back(done.h);
    }
    y = directions == 1 ? outputs[0] : concat(outputs, -1);
  }
  y = transpose(y, 0, 1);
  y = masked_fill(y, seen, 0);
  result.output = longest == time ? y : pad(y, 1, 0, time - longest);
  return result;
}

}  // namespace gradus::recurrent
