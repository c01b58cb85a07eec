#include "layers/recurrent/recurrence.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/autograd/autograd.h"
#include "core/autograd/fused.h"
#include "core/kernels/packed_matrix.h"
#include "core/kernels/simd.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/packed_weight.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"
#include "core/tensor/threads.h"
#include "layers/recurrent/lstm.simd.h"

namespace gradus {

namespace {

const Pointwise next_cell{"lstm_cell", [](Expr i, Expr f, Expr g, Expr c) {
                            return sigmoid(f) * c + sigmoid(i) * tanh(g);
                          }};
const Pointwise next_hidden{"lstm_hidden", [](Expr o, Expr c) { return sigmoid(o) * tanh(c); }};

// The same for a batch in which some rows have ended: those keep their state.
const Pointwise next_cell_or_kept{"lstm_cell", [](Expr i, Expr f, Expr g, Expr c, Expr reached) {
                                    return where(reached, next_cell(i, f, g, c), c);
                                  }};
const Pointwise next_hidden_or_kept{"lstm_hidden", [](Expr o, Expr c, Expr h, Expr reached) {
                                      return where(reached, next_hidden(o, c), h);
                                    }};

/// The op's inputs, of which the last may be missing.
enum { projected_at, weight_at, h_at, c_at, reached_at };

/// The sizes of a recurrence and the order of its steps.
struct Steps {
  int64_t time, batch, hidden;
  bool backward;

  Steps(const std::vector<Tensor>& inputs, bool backward)
      : time(inputs[projected_at].rank() == 2 ? 1 : inputs[projected_at].shape()[0]),
        batch(inputs[c_at].shape()[0]),
        hidden(inputs[c_at].shape()[1]),
        backward(backward) {}
  /// The time of the k-th step.
  int64_t operator[](int64_t k) const { return backward ? time - 1 - k : k; }
  /// Where row `row` at time t is in an array with `size` elements a row.
  int64_t at(int64_t t, int64_t row, int64_t size) const { return (t * batch + row) * size; }
  /// Runs `work` on ranges of rows, one a thread: no row waits for another.
  void for_rows(const auto& work) const {
    const int64_t work_per_row = std::max<int64_t>(1, 4 * time * hidden * hidden);
    parallel_for(batch, std::max<int64_t>(1, 500'000 / work_per_row), work);
  }
};

Tensor composed(const std::vector<Tensor>& inputs, bool backward) {
  const Tensor& projected = inputs[projected_at];
  const Steps steps(inputs, backward);
  Tensor h = inputs[h_at], c = inputs[c_at];
  std::vector<Tensor> states(static_cast<size_t>(steps.time));
  for (int64_t k = 0; k < steps.time; ++k) {
    const int64_t t = steps[k];
    const Tensor now = projected.rank() == 2 ? projected : projected[t];
    const auto gates = split(linear(h, inputs[weight_at], now), 4, 1);
    const Tensor &i = gates[0], &f = gates[1], &g = gates[2], &o = gates[3];
    if (inputs.size() <= reached_at) {
      c = next_cell(i, f, g, c);
      h = next_hidden(o, c);
    } else {
      const Tensor reached = slice(inputs[reached_at], 1, t, t + 1);
      c = next_cell_or_kept(i, f, g, c, reached);
      h = next_hidden_or_kept(o, c, h, reached);
    }
    states[static_cast<size_t>(t)] = stack({h, c}, 0);
  }
  return projected.rank() == 2 ? states[0] : stack(states, 1);
}

/// Where a row goes on.
template <class T>
struct Reached {
  const T* at;
  int64_t time;

  Reached(const std::vector<Tensor>& inputs, const Steps& steps)
      : at(inputs.size() > reached_at ? inputs[reached_at].data<T>() : nullptr), time(steps.time) {}
  bool operator()(int64_t row, int64_t t) const { return !at || at[row * time + t] != 0; }
};

Tensor room_for_gates(const Tensor& projected) {
  return Tensor::uninitialised(projected.shape(), projected.dtype());
}

/// Leaves the gates of all steps, before their σ and tanh, in `gates`.
Tensor one_pass(const std::vector<Tensor>& inputs, bool backward, Tensor gates) {
  const Steps steps(inputs, backward);
  const Shape& shape = inputs[projected_at].shape();
  Tensor output = Tensor::uninitialised(shape.with(shape.rank() - 1, steps.hidden).inserted(0, 2),
                                        gates.dtype());
  dispatch_float("lstm", gates.dtype(), [&](auto element) {
    using T = decltype(element);
    const int64_t n = steps.hidden;
    const auto weight = packed<T>(inputs[weight_at], true);
    const Reached<T> reached(inputs, steps);
    const auto& cells = simd::best<simd::LstmKernels<T>>();
    const T* projected = inputs[projected_at].data<T>();
    T *all_h = output.mutable_data<T>(), *all_c = all_h + output.numel() / 2,
      *all_gates = gates.mutable_data<T>();
    steps.for_rows([&](int64_t begin, int64_t end) {
      const T *h = inputs[h_at].data<T>(), *c = inputs[c_at].data<T>();
      for (int64_t k = 0; k < steps.time; ++k) {
        const int64_t t = steps[k], rows = end - begin, first = steps.at(t, begin, 4 * n);
        T *a = all_gates + first, *next_h = all_h + steps.at(t, 0, n),
          *next_c = all_c + steps.at(t, 0, n);
        weight->multiply({h + begin * n, rows, n, n}, {projected + first, rows, 4 * n, 4 * n},
                         {a, rows, 4 * n, 4 * n});
        for (int64_t row = begin; row < end; ++row, a += 4 * n) {
          const int64_t at = row * n;
          if (reached(row, t)) {
            cells.cell(a, c + at, next_h + at, next_c + at, n);
          } else {
            std::copy_n(h + at, n, next_h + at);
            std::copy_n(c + at, n, next_c + at);
          }
        }
        h = next_h;
        c = next_c;
      }
    });
  });
  return output;
}

/// dL/dW_hh = Σₜ dL/daₜᵀ · hₜ₋₁ for the gates a, (time, batch, 4 · hidden), and h after each step.
Gradient weight_gradient(const Tensor& da, const Tensor& first_h, const Tensor& h,
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

std::vector<Gradient> gradients(const Backward& b, bool backward, const Tensor& kept) {
  const std::vector<Tensor> inputs = b.inputs();
  const Tensor& output = b.output();
  const Steps steps(inputs, backward);
  const Tensor gates = kept.defined() ? kept : room_for_gates(inputs[projected_at]);
  if (!kept.defined()) one_pass(inputs, backward, gates);
  const Tensor g = contiguous(b.gradient);
  Tensor da = Tensor::uninitialised({steps.time, steps.batch, 4 * steps.hidden}, g.dtype());
  Tensor dh = Tensor::uninitialised({steps.batch, steps.hidden}, g.dtype());
  Tensor dc = Tensor::uninitialised({steps.batch, steps.hidden}, g.dtype());
  dispatch_float("lstm", g.dtype(), [&](auto element) {
    using T = decltype(element);
    const int64_t n = steps.hidden, last = steps[steps.time - 1];
    const auto weight = packed<T>(inputs[weight_at], false);
    const Reached<T> reached(inputs, steps);
    const auto& cells = simd::best<simd::LstmKernels<T>>();
    const T *c = output.data<T>() + output.numel() / 2, *g_h = g.data<T>(),
            *g_c = g_h + g.numel() / 2;
    T *all_dh = dh.mutable_data<T>(), *all_dc = dc.mutable_data<T>(),
      *all_da = da.mutable_data<T>();
    steps.for_rows([&](int64_t begin, int64_t end) {
      // What arrives at a step: from the steps after it, and from outside.
      T *now_h = all_dh, *now_c = all_dc;
      const int64_t rows = end - begin, from = begin * n, size = rows * n;
      std::copy_n(g_h + steps.at(last, begin, n), size, now_h + from);
      std::copy_n(g_c + steps.at(last, begin, n), size, now_c + from);
      for (int64_t k = steps.time - 1; k >= 0; --k) {
        const int64_t t = steps[k], before = k == 0 ? 0 : steps.at(steps[k - 1], 0, n);
        const T* c_before = k == 0 ? inputs[c_at].data<T>() : c + before;
        T* a = all_da + steps.at(t, 0, 4 * n);
        for (int64_t row = begin; row < end; ++row) {
          const int64_t at = row * n;
          if (reached(row, t)) {
            cells.cell_gradient(gates.data<T>() + steps.at(t, row, 4 * n), c_before + at,
                                c + steps.at(t, row, n), now_h + at, now_c + at, a + 4 * at,
                                now_c + at, n);
            std::fill_n(now_h + at, n, T(0));
          } else {
            std::fill_n(a + 4 * at, 4 * n, T(0));
          }
        }
        if (k > 0) {
          simd::kernels<T>().add_into(g_h + before + from, now_h + from, size);
          simd::kernels<T>().add_into(g_c + before + from, now_c + from, size);
        }
        if (k > 0 || b.needs(h_at))
          weight->multiply({a + 4 * from, rows, 4 * n, 4 * n}, {now_h + from, rows, n, n},
                           {now_h + from, rows, n, n});
      }
    });
  });
  std::vector<Gradient> result(inputs.size());
  result[projected_at] = reshape(da, inputs[projected_at].shape());
  if (b.needs(h_at)) result[h_at] = dh;
  result[c_at] = dc;
  if (b.needs(weight_at)) {
    const Tensor h = reshape(output[0], {steps.time, steps.batch, steps.hidden});
    result[weight_at] = weight_gradient(da, inputs[h_at], h, steps);
  }
  return result;
}

}  // namespace

Tensor lstm_recurrence(const Tensor& projected, const Tensor& weight, const Tensor& h,
                       const Tensor& c, const Tensor& reached, bool backward) {
  std::vector<Tensor> inputs{contiguous(projected), contiguous(weight), contiguous(h),
                             contiguous(c)};
  if (reached.defined()) inputs.push_back(contiguous(reached));
  for (const Tensor& input : inputs)
    if (input.dtype() != projected.dtype())
      throw Error(fmt::format("lstm: dtypes differ: {} {} and {} {}", name_of(projected.dtype()),
                              projected.description(), name_of(input.dtype()),
                              input.description()));
  // An observer may run the rule on other inputs: it then computes the gates again.
  const Tensor gates = observing() ? Tensor() : room_for_gates(projected);
  return fused(
      {projected.rank() == 2 ? "lstm_cell" : "lstm",
       "h′ = σ(o) · tanh(c′), c′ = σ(f) · d + σ(i) · tanh(g), with (i, f, g, o) = a + c · bᵀ",
       {{"(u · tanh(g) · σ′(i), u · d · σ′(f), u · σ(i) · tanh′(g), w · tanh(c′) · σ′(o)) with "
         "w = dL/dh′ and u = dL/dc′ + w · σ(o) · (1 − tanh(c′)²)",
         reads("abcdey")},
        {"dL/daᵀ · c", reads("abcdey")},
        {"dL/da · b", reads("abcdey")},
        {"u · σ(f)", reads("abcdey")},
        {}}},
      inputs,
      [=](const auto& x) {
        return one_pass(x, backward, gates.defined() ? gates : room_for_gates(x[projected_at]));
      },
      [=](const Backward& b) { return gradients(b, backward, gates); },
      [=](const auto& x) { return composed(x, backward); },
      [=] {
        return Attributes{{"backward", int64_t{backward}}};
      });
}

}  // namespace gradus
