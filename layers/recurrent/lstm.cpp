#include "layers/recurrent/lstm.h"

#include "core/functions/dropout.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "layers/recurrent/lstm.simd.h"
#include "layers/recurrent/recurrence.h"
#include "layers/recurrent/sequence.h"

namespace gradus {

namespace {

using recurrent::Tensors;

const Pointwise next_cell{"lstm_cell", [](Expr i, Expr f, Expr z, Expr c) {
                            return sigmoid(f) * c + sigmoid(i) * tanh(z);
                          }};
const Pointwise next_hidden{"lstm_hidden", [](Expr o, Expr c) { return sigmoid(o) * tanh(c); }};

struct LSTMRecurrence {
  static constexpr const char* name = "lstm";
  static constexpr int gates = 4, states = 2;
  static constexpr bool hidden_bias = false;

  static constexpr Derivative derivatives[]{
      {"(u · tanh(z) · σ′(i), u · d · σ′(f), u · σ(i) · tanh′(z), w · tanh(c′) · σ′(o)) with "
       "w = dL/dh′ and u = dL/dc′ + w · σ(o) · (1 − tanh(c′)²)",
       reads("bcdy")},
      {"dL/daᵀ · c", reads("bcdy")},
      {"dL/da · b", reads("bcdy")},
      {"u · σ(f)", reads("bcdy")}};
  static Op op(bool one_step) {
    return {one_step ? "lstm_cell" : "lstm",
            "h′ = σ(o) · tanh(c′), c′ = σ(f) · d + σ(i) · tanh(z), with (i, f, z, o) = a + c · bᵀ",
            derivatives};
  }
  template <class T>
  static void forward(const T* a, const T*, std::array<const T*, 2> before, std::array<T*, 2> after,
                      int64_t n) {
    simd::best<simd::LstmKernels<T>>().cell(a, before[1], after[0], after[1], n);
  }
  template <class T>
  static void backward(const T* a, const T*, std::array<const T*, 2> before,
                       std::array<const T*, 2> after, std::array<T*, 2> now, T* da, T*, int64_t n) {
    simd::best<simd::LstmKernels<T>>().cell_gradient(a, before[1], after[1], now[0], now[1], da,
                                                     now[1], n);
    std::fill_n(now[0], n, T(0));
  }
  static Tensors composed(const Tensor& a, const Tensors& before) {
    const Tensors gates = split(a, 4, 1);
    const Tensor c = next_cell(gates[0], gates[1], gates[2], before[1]);
    return {next_hidden(gates[3], c), c};
  }
};

struct Kind {
  using Cell = LSTMCell;
  using State = LSTMState;
  using Recurrence = LSTMRecurrence;
  static Tensors flat(const LSTMState& state) { return {state.h, state.c}; }
  static LSTMState state(const Tensor& stacked) { return {stacked[0], stacked[1]}; }
  static Tensor hidden_bias(const LSTMCell&) { return {}; }
  static void remove_biases(LSTMCell& cell) { cell.bias = {}; }
};

}  // namespace

LSTMCell::LSTMCell(int64_t in, int64_t hidden, Generator& generator) {
  recurrent::initialise<Kind>(*this, in, hidden, generator);
}

LSTMState LSTMCell::operator()(const Tensor& x, const LSTMState& before) const {
  const Scope scope(this);
  return recurrent::step_of<Kind>(*this, x, before);
}
Tensor LSTMCell::project(const Tensor& x) const {
  const Scope scope(this);
  return recurrent::project<Kind>(*this, x);
}
LSTMState LSTMCell::step(const Tensor& projected, const LSTMState& before) const {
  const Scope scope(this);
  return recurrent::step<Kind>(*this, projected, before);
}
LSTMSteps LSTMCell::steps(const Tensor& projected, const LSTMState& before) const {
  const Scope scope(this);
  return recurrent::steps<Kind>(*this, projected, before);
}
LSTMState LSTMCell::initial(int64_t batch) const {
  const Tensor zero = zeros({batch, hidden()}, weight_hh.dtype());
  return {zero, zero};
}

LSTM::LSTM(int64_t in, int64_t hidden, Generator& generator, RecurrentOptions options)
    : dropout(options.dropout) {
  recurrent::make_layers<Kind>(forward, backward, in, hidden, options,
                               [&](int64_t size) { return LSTMCell(size, hidden, generator); });
}

LSTMOutput LSTM::operator()(const Tensor& x, const Mask& mask, Generator* generator) const {
  return recurrent::over_sequences<Kind>(*this, x, {}, mask, generator);
}
LSTMOutput LSTM::operator()(const Tensor& x, const std::vector<LSTMState>& initial,
                            const Mask& mask, Generator* generator) const {
  return recurrent::over_sequences<Kind>(*this, x, initial, mask, generator);
}

}  // namespace gradus
