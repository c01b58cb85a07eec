#include "layers/recurrent/rnn.h"

#include "core/functions/dropout.h"
#include "core/ops/matmul.h"
#include "core/ops/pointwise.h"
#include "layers/recurrent/recurrence.h"
#include "layers/recurrent/sequence.h"

namespace gradus {

namespace {

using recurrent::Tensors;

template <RNNActivation activation>
struct RNNRecurrence {
  static constexpr bool is_tanh = activation == RNNActivation::tanh;
  static constexpr const char* name = "rnn";
  static constexpr int gates = 1, states = 1;
  static constexpr bool hidden_bias = false;

  static constexpr Derivative derivatives[]{
      {is_tanh ? "u with u = dL/dh′ · (1 − h′²)" : "u with u = dL/dh′ where h′ > 0", reads("bcy")},
      {"uᵀ · c", reads("bcy")},
      {"u · b", reads("bcy")}};
  static Op op(bool one_step) {
    return {one_step ? "rnn_cell" : "rnn",
            is_tanh ? "h′ = tanh(a + c · bᵀ)" : "h′ = relu(a + c · bᵀ)", derivatives};
  }
  template <class T>
  static void forward(const T* a, const T*, std::array<const T*, 1>, std::array<T*, 1> after,
                      int64_t n) {
    using Function = std::conditional_t<is_tanh, simd::Tanh, simd::Relu>;
    simd::kernels<T>().functions[simd::index_of<Function>()](a, a, a, after[0], n);
  }
  template <class T>
  static void backward(const T*, const T*, std::array<const T*, 1>, std::array<const T*, 1> after,
                       std::array<T*, 1> now, T* da, T*, int64_t n) {
    const T* y = after[0];
    for (int64_t i = 0; i < n; ++i) {
      const T factor = is_tanh ? 1 - y[i] * y[i] : T(y[i] > 0);
      da[i] = now[0][i] * factor;
      now[0][i] = 0;
    }
  }
  static Tensors composed(const Tensor& a, const Tensors&) { return {is_tanh ? tanh(a) : relu(a)}; }
};

template <RNNActivation activation>
struct Kind {
  using Cell = RNNCell;
  using State = Tensor;
  using Recurrence = RNNRecurrence<activation>;
  static Tensors flat(const Tensor& h) { return {h}; }
  static Tensor state(const Tensor& stacked) { return stacked[0]; }
  static Tensor hidden_bias(const RNNCell&) { return {}; }
  static void remove_biases(RNNCell& cell) { cell.bias = {}; }
};
using WithTanh = Kind<RNNActivation::tanh>;
using WithRelu = Kind<RNNActivation::relu>;

}  // namespace

RNNCell::RNNCell(int64_t in, int64_t hidden, Generator& generator, RNNActivation activation)
    : activation(activation) {
  recurrent::initialise<WithTanh>(*this, in, hidden, generator);
}

Tensor RNNCell::operator()(const Tensor& x, const Tensor& before) const {
  const Scope scope(this);
  return activation == RNNActivation::tanh ? recurrent::step_of<WithTanh>(*this, x, before)
                                           : recurrent::step_of<WithRelu>(*this, x, before);
}
Tensor RNNCell::project(const Tensor& x) const {
  const Scope scope(this);
  return recurrent::project<WithTanh>(*this, x);
}
Tensor RNNCell::step(const Tensor& projected, const Tensor& before) const {
  const Scope scope(this);
  return activation == RNNActivation::tanh ? recurrent::step<WithTanh>(*this, projected, before)
                                           : recurrent::step<WithRelu>(*this, projected, before);
}
RNNSteps RNNCell::steps(const Tensor& projected, const Tensor& before) const {
  const Scope scope(this);
  return activation == RNNActivation::tanh ? recurrent::steps<WithTanh>(*this, projected, before)
                                           : recurrent::steps<WithRelu>(*this, projected, before);
}
Tensor RNNCell::initial(int64_t batch) const { return zeros({batch, hidden()}, weight_hh.dtype()); }

RNN::RNN(int64_t in, int64_t hidden, Generator& generator, RecurrentOptions options,
         RNNActivation activation)
    : dropout(options.dropout) {
  recurrent::make_layers<WithTanh>(forward, backward, in, hidden, options, [&](int64_t size) {
    return RNNCell(size, hidden, generator, activation);
  });
}

RNNOutput RNN::operator()(const Tensor& x, const Mask& mask, Generator* generator) const {
  return (*this)(x, std::vector<Tensor>(), mask, generator);
}
RNNOutput RNN::operator()(const Tensor& x, const std::vector<Tensor>& initial, const Mask& mask,
                          Generator* generator) const {
  return forward[0].activation == RNNActivation::tanh
             ? recurrent::over_sequences<WithTanh>(*this, x, initial, mask, generator)
             : recurrent::over_sequences<WithRelu>(*this, x, initial, mask, generator);
}

}  // namespace gradus
