#include "layers/lstm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/fused.h"
#include "core/parallel.h"
#include "core/scope.h"
#include "core/simd.h"
#include "layers/initialise.h"

namespace gradus {

namespace {

const Pointwise next_cell{"lstm_cell", [](Expr i, Expr f, Expr g, Expr c) {
                            return sigmoid(f) * c + sigmoid(i) * tanh(g);
                          }};
const Pointwise next_hidden{"lstm_hidden", [](Expr o, Expr c) { return sigmoid(o) * tanh(c); }};

// The same for a batch in which some rows have ended: those keep their state.
const Pointwise next_cell_or_kept{"lstm_cell", [](Expr i, Expr f, Expr g, Expr c, Expr reached) {
                                    return select(reached, next_cell(i, f, g, c), c);
                                  }};
const Pointwise next_hidden_or_kept{"lstm_hidden", [](Expr o, Expr c, Expr h, Expr reached) {
                                      return select(reached, next_hidden(o, c), h);
                                    }};

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

/// The inputs of a step: the gates (batch, 4 · hidden) before their σ and tanh, c, and, where some
/// rows have ended, h and `reached` (batch, 1), which is 0 for those: they keep their state.
enum { gates_at, c_at, h_at, reached_at };

/// h′ and c′, stacked: (2, batch, hidden).
Tensor composed_step(const std::vector<Tensor>& inputs) {
  const auto gates = split(inputs[gates_at], 4, 1);
  const Tensor &i = gates[0], &f = gates[1], &g = gates[2], &o = gates[3], &c = inputs[c_at];
  if (inputs.size() == 2) {
    const Tensor next_c = next_cell(i, f, g, c);
    return stack({next_hidden(o, next_c), next_c}, 0);
  }
  const Tensor next_c = next_cell_or_kept(i, f, g, c, inputs[reached_at]);
  return stack({next_hidden_or_kept(o, next_c, inputs[h_at], inputs[reached_at]), next_c}, 0);
}

/// Calls `work` with the place of each row in a (batch, hidden) array and whether the row goes on.
template <class T, class Work>
void for_rows(const std::vector<Tensor>& inputs, const Work& work) {
  const int64_t hidden = inputs[c_at].shape()[1];
  const T* reached = inputs.size() == 2 ? nullptr : inputs[reached_at].data<T>();
  parallel_for(inputs[c_at].shape()[0], std::max<int64_t>(1, 4096 / std::max<int64_t>(1, hidden)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t b = begin; b < end; ++b)
                   work(b * hidden, !reached || reached[b] != 0);
               });
}

Tensor one_pass_step(const std::vector<Tensor>& inputs) {
  const Tensor &gates = inputs[gates_at], &c = inputs[c_at];
  const int64_t size = c.numel(), hidden = c.shape()[1];
  const Tensor next = Tensor::uninitialised({2, c.shape()[0], hidden}, c.dtype());
  dispatch_float("lstm_cell", c.dtype(), [&](auto element) {
    using T = decltype(element);
    T *next_h = next.data<T>(), *next_c = next_h + size;
    for_rows<T>(inputs, [&](int64_t at, bool goes_on) {
      if (goes_on) {
        simd::kernels<T>().lstm_cell(gates.data<T>() + 4 * at, c.data<T>() + at, next_h + at,
                                     next_c + at, hidden);
      } else {
        std::copy_n(inputs[h_at].data<T>() + at, hidden, next_h + at);
        std::copy_n(c.data<T>() + at, hidden, next_c + at);
      }
    });
  });
  return next;
}

std::vector<Gradient> step_gradients(const Backward& b) {
  const Tensor &gates = b.inputs[gates_at], &c = b.inputs[c_at], g = contiguous(b.gradient);
  const int64_t size = c.numel(), hidden = c.shape()[1];
  const bool some_ended = b.inputs.size() > 2;
  const Tensor dgates = Tensor::uninitialised(gates.shape(), c.dtype());
  const Tensor dc = Tensor::uninitialised(c.shape(), c.dtype());
  const Tensor dh = some_ended ? zeros_like(c) : Tensor();
  dispatch_float("lstm_cell", c.dtype(), [&](auto element) {
    using T = decltype(element);
    const T *next_c = b.output.data<T>() + size, *g_h = g.data<T>(), *g_c = g_h + size;
    for_rows<T>(b.inputs, [&](int64_t at, bool goes_on) {
      if (goes_on) {
        simd::kernels<T>().lstm_cell_gradient(gates.data<T>() + 4 * at, c.data<T>() + at,
                                              next_c + at, g_h + at, g_c + at,
                                              dgates.data<T>() + 4 * at, dc.data<T>() + at, hidden);
      } else {
        std::fill_n(dgates.data<T>() + 4 * at, 4 * hidden, T(0));
        std::copy_n(g_c + at, hidden, dc.data<T>() + at);
        std::copy_n(g_h + at, hidden, dh.data<T>() + at);
      }
    });
  });
  if (!some_ended) return {dgates, dc};
  return {dgates, dc, dh, {}};
}

/// `reached` is undefined where all rows have this time step.
LSTMState advance(const LSTMCell& cell, const Tensor& projected, const LSTMState& before,
                  const Tensor& reached) {
  const Scope scope(&cell);
  std::vector<Tensor> inputs{linear(before.h, cell.weight_hh, projected), contiguous(before.c)};
  if (reached.defined()) {
    inputs.push_back(contiguous(before.h));
    inputs.push_back(contiguous(reached));
  }
  const Tensor next = fused(
      {"lstm_cell", "h′ = σ(o) · tanh(c′), c′ = σ(f) · c + σ(i) · tanh(g), with a = (i, f, g, o)",
       "with u = dL/dc′ + dL/dh′ · σ(o) · (1 − tanh(c′)²): dL/dc = u · σ(f), dL/di = u · tanh(g) · "
       "σ′(i), dL/df = u · c · σ′(f), dL/dg = u · σ(i) · tanh′(g), dL/do = dL/dh′ · tanh(c′) · "
       "σ′(o)"},
      inputs, one_pass_step, step_gradients, composed_step);
  return {select_index(next, 0, 0), select_index(next, 0, 1)};
}

}  // namespace

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
  return advance(*this, projected, before, {});
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

namespace {

/// Which rows have which time steps.
struct Lengths {
  int64_t shortest, longest;
  Mask mask;  // (batch, longest); undefined where every row has all of them

  Lengths(std::span<const int64_t> lengths, const Tensor& x) {
    const int64_t batch = x.shape()[0], time = x.shape()[1];
    shortest = longest = time;
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

/// x (time, batch, in) → the hidden states (time, batch, hidden); leaves the last one in `state`.
Tensor run(const LSTMCell& cell, const Tensor& x, const Lengths& lengths, bool backward,
           LSTMState& state) {
  const int64_t time = x.shape()[0];
  const Tensor projected = cell.project(x);
  const Tensor attended = lengths.mask.defined() ? lengths.mask.attended(x.dtype()) : Tensor();
  std::vector<Tensor> outputs(static_cast<size_t>(time));
  for (int64_t k = 0; k < time; ++k) {
    const int64_t t = backward ? time - 1 - k : k;
    const Scope scope(t);
    const Tensor reached = t < lengths.shortest ? Tensor() : slice(attended, 1, t, t + 1);
    state = advance(cell, select_index(projected, 0, t), state, reached);
    outputs[static_cast<size_t>(t)] = state.h;
  }
  return stack(outputs, 0);
}

}  // namespace

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
    LSTMState* state = &result.states[layer * directions];
    Tensor next = run(forward[layer], y, steps, false, state[0]);
    if (!backward.empty())
      next = concat({next, run(backward[layer], y, steps, true, state[1])}, -1);
    y = next;
  }
  y = fill_ignored(transpose(y, 0, 1), steps.mask.unsqueeze(-1), 0);
  result.output = steps.longest == time ? y : pad(y, 1, 0, time - steps.longest);
  return result;
}

}  // namespace gradus
