#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "core/autograd/fused.h"
#include "core/functions/first_run.h"
#include "core/kernels/products.h"
#include "core/kernels/simd.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/packed_weight.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/tensor/scope.h"
#include "core/tensor/threads.h"

/// The loop over time that LSTM, GRU and RNN share, as one op. For each time step, or backwards
/// from the last one,
///
///     a = projected[t] + h · Wᵀ                 all gates of the cell
///     h′ (and c′) = cell(a, h (and c))
///
/// What a cell does is a type with
///
///     static constexpr const char* name;
///     static constexpr int gates, states;       states: h alone, or h and c
///     static constexpr bool hidden_bias;        whether the last gate's a is h · Wᵀ + b alone, to
///                                               which the cell itself joins projected[t]
///     static Op op(bool one_step);
///     forward(a, projected, before, after, n)   one row of n hidden units
///     backward(a, projected, before, after, now, da, dprojected, n)
///                                               from dL/d(after) in `now`: dL/da, dL/d(projected),
///                                               and in `now` dL/d(before) but what comes by a
///     composed(a, states)                       one step in other ops; with a hidden bias,
///                                               composed(projected, weight, bias, states)
///
/// The a of all steps are kept for the backward pass. So `projected` is let go, unless a hidden
/// bias asks for it: in derivatives of derivatives, too, the a are not computed again. A sequence
/// that is recorded does not keep its packed weight, which training changes before the next one.
namespace gradus::recurrent {

using Tensors = std::vector<Tensor>;
/// Of each row the number of its time steps; nullptr: all rows have all of them.
using Lengths = std::shared_ptr<const std::vector<int64_t>>;

/// The op's inputs: the states follow, and a cell's hidden bias.
enum { projected_at, weight_at, state_at };

/// The sizes of a recurrence and the order of its steps.
struct Steps {
  int64_t time, batch, hidden;
  bool backward;
  Lengths lengths;

  Steps(const Tensors& inputs, bool backward, Lengths lengths)
      : time(inputs[projected_at].rank() == 2 ? 1 : inputs[projected_at].shape()[0]),
        batch(inputs[state_at].shape()[0]),
        hidden(inputs[state_at].shape()[1]),
        backward(backward),
        lengths(std::move(lengths)) {}
  /// The time of the k-th step.
  int64_t operator[](int64_t k) const { return backward ? time - 1 - k : k; }
  /// Whether the row has this time step; others keep their state.
  bool has(int64_t row, int64_t t) const {
    return !lengths || t < (*lengths)[static_cast<size_t>(row)];
  }
  /// Where row `row` at time t is in an array with `size` elements a row.
  int64_t at(int64_t t, int64_t row, int64_t size) const { return (t * batch + row) * size; }
  /// Runs `work` on ranges of rows, one a thread: no row waits for another.
  void for_rows(const auto& work) const {
    const int64_t work_per_row = std::max<int64_t>(1, 4 * time * hidden * hidden);
    parallel_for(batch, std::max<int64_t>(1, 500'000 / work_per_row), work);
  }
};

/// Each of several arrays from an offset on.
template <class T, size_t n>
std::array<T*, n> from(std::array<T*, n> arrays, int64_t offset) {
  for (T*& array : arrays) array += offset;
  return arrays;
}

template <class Cell, class T>
std::array<const T*, Cell::states> states_of(const Tensors& inputs) {
  std::array<const T*, Cell::states> states;
  for (size_t i = 0; i < Cell::states; ++i) states[i] = inputs[state_at + i].template data<T>();
  return states;
}

/// States after each step, (states, time, batch, hidden), or (states, batch, hidden) of a single
/// one. Leaves the a of all steps in `gates`, of the shape of `projected`; without a first axis it
/// has room for one step.
template <class Cell>
Tensor one_pass(const Tensors& inputs, const Steps& steps, Tensor& gates) {
  const Shape& shape = inputs[projected_at].shape();
  Tensor output = Tensor::uninitialised(
      shape.with(shape.rank() - 1, steps.hidden).inserted(0, Cell::states), gates.dtype());
  dispatch_float(Cell::name, gates.dtype(), [&](auto element) {
    using T = decltype(element);
    const int64_t n = steps.hidden, width = Cell::gates * n;
    const bool keep = steps.time == 1 || !is_recording(inputs);
    const bool all_steps = gates.rank() == inputs[projected_at].rank();
    const auto weight = packed<T>(inputs[weight_at], true, keep);
    const T* all_projected = inputs[projected_at].template data<T>();
    T* all_gates = gates.template mutable_data<T>();
    std::array<T*, Cell::states> all;
    for (size_t i = 0; i < Cell::states; ++i)
      all[i] = output.template mutable_data<T>() +
               static_cast<int64_t>(i) * output.numel() / Cell::states;
    steps.for_rows([&](int64_t begin, int64_t end) {
      auto before = states_of<Cell, T>(inputs);
      for (int64_t k = 0; k < steps.time; ++k) {
        const int64_t t = steps[k], rows = end - begin;
        const T *projected = all_projected + steps.at(t, begin, width), *start = projected;
        T* a = all_gates + steps.at(all_steps ? t : 0, begin, width);
        const auto after = from(all, steps.at(t, 0, n));
        if constexpr (Cell::hidden_bias) {
          const T* bias = inputs[state_at + Cell::states].template data<T>();
          for (int64_t row = 0; row < rows; ++row) {
            std::copy_n(projected + row * width, width - n, a + row * width);
            std::copy_n(bias, n, a + (row + 1) * width - n);
          }
          start = a;
        }
        weight->multiply({before[0] + begin * n, rows, n, n}, {start, rows, width, width},
                         {a, rows, width, width});
        for (int64_t row = begin; row < end; ++row, a += width, projected += width) {
          const auto old = from(before, row * n);
          const auto next = from(after, row * n);
          if (steps.has(row, t))
            Cell::template forward<T>(a, projected, old, next, n);
          else
            for (size_t i = 0; i < Cell::states; ++i) std::copy_n(old[i], n, next[i]);
        }
        for (size_t i = 0; i < Cell::states; ++i) before[i] = after[i];
      }
    });
  });
  return output;
}

/// dL/dW = Σₜ dL/daₜᵀ · hₜ₋₁ for da (time, batch, gates · hidden), and h after each step.
inline Gradient weight_gradient(const Tensor& da, const Tensor& first_h, const Tensor& h,
                                const Steps& steps) {
  const int64_t others = steps.time - 1, begin = steps.backward ? 0 : 1;
  auto rows = [](const Tensor& x) { return reshape(x, {x.size(0) * x.size(1), x.size(2)}); };
  const Tensor first_da = transpose(da[steps[0]]);
  const Tensor other_da = transpose(rows(slice(da, 0, begin, begin + others)));
  const Tensor before = rows(slice(h, 0, 1 - begin, 1 - begin + others));
  auto add_to = [=](Tensor& buffer) {
    add_matmul(first_da, first_h, buffer);
    add_matmul(other_da, before, buffer);
  };
  auto whole = [=] {
    Tensor sum = matmul(first_da, first_h);
    add_matmul(other_da, before, sum);
    return sum;
  };
  return {whole, add_to};
}

template <class Cell>
std::vector<Gradient> gradients(const Backward& b, const Steps& steps, const Tensor& gates) {
  const Tensors inputs = b.inputs();
  const Tensor& output = b.output();
  const int64_t n = steps.hidden, width = Cell::gates * n;
  const Tensor g = contiguous(b.gradient);
  auto room = [&](const Shape& shape) { return Tensor::uninitialised(shape, g.dtype()); };
  Tensor da = room({steps.time, steps.batch, width});
  Tensor dprojected = Cell::hidden_bias ? room(da.shape()) : da;
  std::array<Tensor, Cell::states> dstates;
  for (Tensor& state : dstates) state = room({steps.batch, n});
  dispatch_float(Cell::name, g.dtype(), [&](auto element) {
    using T = decltype(element);
    constexpr size_t states = Cell::states;
    const auto& kernels = simd::kernels<T>();
    const auto weight = packed<T>(inputs[weight_at], false, steps.time == 1);
    const T* all_gates = gates.template data<T>();
    const T* all_projected = all_gates;  // which a cell without a hidden bias does not read
    if constexpr (Cell::hidden_bias) all_projected = inputs[projected_at].template data<T>();
    T *all_da = da.template mutable_data<T>(),
      *all_dprojected = dprojected.template mutable_data<T>();
    std::array<const T*, states> all, arriving;
    std::array<T*, states> now;  // dL/d(state): from the steps after it, and from outside
    for (size_t i = 0; i < states; ++i) {
      const int64_t part = static_cast<int64_t>(i) * g.numel() / Cell::states;
      all[i] = output.template data<T>() + part;
      arriving[i] = g.template data<T>() + part;
      now[i] = dstates[i].template mutable_data<T>();
    }
    steps.for_rows([&](int64_t begin, int64_t end) {
      const int64_t rows = end - begin, first = begin * n, size = rows * n,
                    last = steps.at(steps[steps.time - 1], begin, n);
      for (size_t i = 0; i < states; ++i) std::copy_n(arriving[i] + last, size, now[i] + first);
      for (int64_t k = steps.time - 1; k >= 0; --k) {
        const int64_t t = steps[k], previous = k == 0 ? 0 : steps.at(steps[k - 1], 0, n);
        const auto before = k == 0 ? states_of<Cell, T>(inputs) : from(all, previous);
        const auto after = from(all, steps.at(t, 0, n));
        for (int64_t row = begin; row < end; ++row) {
          const int64_t at = steps.at(t, row, width);
          if (steps.has(row, t)) {
            Cell::template backward<T>(all_gates + at, all_projected + at, from(before, row * n),
                                       from(after, row * n), from(now, row * n), all_da + at,
                                       all_dprojected + at, n);
          } else {
            std::fill_n(all_da + at, width, T(0));
            std::fill_n(all_dprojected + at, width, T(0));
          }
        }
        if (k > 0)
          for (size_t i = 0; i < states; ++i)
            kernels.add_into(arriving[i] + previous + first, now[i] + first, size);
        if (k > 0 || b.needs(state_at))
          weight->multiply({all_da + steps.at(t, begin, width), rows, width, width},
                           {now[0] + first, rows, n, n}, {now[0] + first, rows, n, n});
      }
    });
  });
  std::vector<Gradient> result(inputs.size());
  result[projected_at] = reshape(dprojected, inputs[projected_at].shape());
  for (size_t i = 0; i < Cell::states; ++i)
    if (b.needs(state_at + i)) result[state_at + i] = dstates[i];
  if (b.needs(weight_at)) {
    const Tensor h = reshape(output[0], {steps.time, steps.batch, n});
    result[weight_at] = weight_gradient(da, inputs[state_at], h, steps);
  }
  if constexpr (Cell::hidden_bias)
    result[state_at + Cell::states] = sum(slice(da, -1, width - n, width), {0, 1});
  return result;
}

/// linear(h, weight, projected), whose value is known; it does not read `projected`.
inline Tensor known_linear(const Tensor& h, const Tensor& weight, const Tensor& projected,
                           const Tensor& value) {
  return record({"linear", "a · bᵀ + c", {{"g · b", reads("b")}, {"gᵀ · a", reads("a")}, {"g"}}},
                value.detach(), {h, weight, projected}, [](const Backward& b) {
                  std::vector<Gradient> gradients(3);
                  if (b.needs(0)) gradients[0] = matmul(b.gradient, b.input(1));
                  if (b.needs(1)) gradients[1] = matmul(transpose(b.gradient), b.input(0));
                  gradients[2] = b.gradient;
                  return gradients;
                });
}

/// All steps in other ops, from `gates`, their a, where they are known.
template <class Cell>
Tensor composed(const Tensors& inputs, const Steps& steps, const Tensor& gates = {}) {
  const Tensor& projected = inputs[projected_at];
  Tensors state(inputs.begin() + state_at, inputs.begin() + state_at + Cell::states);
  const Tensor bias = Cell::hidden_bias ? inputs[state_at + Cell::states] : Tensor();
  Tensors states(static_cast<size_t>(steps.time));
  for (int64_t k = 0; k < steps.time; ++k) {
    const int64_t t = steps[k];
    std::optional<Scope> step;  // a single step belongs to the time step of its caller
    if (projected.rank() > 2) step.emplace(t);
    const Tensor now = projected.rank() == 2 ? projected : projected[t];
    Tensors next;
    if constexpr (Cell::hidden_bias)
      next = Cell::composed(now, inputs[weight_at], bias, state);
    else if (gates.defined())
      next = Cell::composed(
          known_linear(state[0], inputs[weight_at], now, projected.rank() == 2 ? gates : gates[t]),
          state);
    else
      next = Cell::composed(linear(state[0], inputs[weight_at], now), state);
    std::vector<double> has;
    for (int64_t row = 0; row < steps.batch; ++row) has.push_back(steps.has(row, t));
    if (std::ranges::find(has, 0) != has.end()) {
      const Tensor goes_on = cast(tensor(has, {steps.batch, 1}), now.dtype());
      for (size_t i = 0; i < next.size(); ++i) next[i] = where(goes_on, next[i], state[i]);
    }
    state = std::move(next);
    states[static_cast<size_t>(t)] = stack(state, 0);
  }
  return projected.rank() == 2 ? states[0] : stack(states, 1);
}

/// `projected` is (time, batch, gates · hidden), or (batch, gates · hidden) for a single step, the
/// weight (gates · hidden, hidden), the states before it (batch, hidden), the bias (hidden) or
/// undefined. Returns the states after each step, (states, time, batch, hidden), or (states, batch,
/// hidden). Throws Error when dtypes differ; the layer has checked the shapes.
template <class Cell>
Tensor recurrence(const Tensor& projected, const Tensor& weight, const Tensors& states,
                  const Tensor& bias, const Lengths& lengths, bool backward) {
  Tensors inputs{contiguous(projected), contiguous(weight)};
  for (const Tensor& state : states) inputs.push_back(contiguous(state));
  if (Cell::hidden_bias) inputs.push_back(contiguous(bias));
  for (const Tensor& input : inputs)
    if (input.dtype() != projected.dtype())
      throw Error(fmt::format("{}: dtypes differ: {} {} and {} {}", Cell::name,
                              name_of(projected.dtype()), projected.description(),
                              name_of(input.dtype()), input.description()));
  if (NoFusion::in_force()) return composed<Cell>(inputs, Steps(inputs, backward, lengths));
  const auto forward = [=](const Tensors& x, Tensor& gates, bool keeps_gates) {
    const Tensor& projected = x[projected_at];
    const bool all_steps = keeps_gates || projected.rank() == 2;
    gates = Tensor::uninitialised(all_steps ? projected.shape() : projected.shape().without(0),
                                  projected.dtype());
    return one_pass<Cell>(x, Steps(x, backward, lengths), gates);
  };
  Tensor gates;
  const Tensor output = forward(inputs, gates, is_recording(inputs) || observing());
  Op op = Cell::op(projected.rank() == 2);
  if (Cell::hidden_bias) op.also = Reads::all_inputs();
  return record(
      op, output, inputs,
      [=, first = FirstRun(output)](const Backward& b) {
        const Steps steps(b.inputs(), backward, lengths);
        Tensor a = gates;  // unless a trace tries the rule on other inputs
        if (!first.has(b.output())) forward(b.inputs(), a, true);
        return b.is_recorded()
                   ? differentiate([=](const Tensors& x) { return composed<Cell>(x, steps, a); }, b)
                   : gradients<Cell>(b, steps, a);
      },
      [=](const Tensors& x) {
        if (NoFusion::in_force()) return composed<Cell>(x, Steps(x, backward, lengths));
        Tensor unused;
        return forward(x, unused, false);
      },
      [=] {
        Attributes attributes{{"backward", int64_t{backward}}};
        if (lengths) attributes.push_back({"lengths", *lengths});
        return attributes;
      });
}

}  // namespace gradus::recurrent
