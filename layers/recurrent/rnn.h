#pragma once

#include "core/functions/mask.h"
#include "core/tensor/random.h"
#include "layers/recurrent/recurrent.h"

namespace gradus {

using RNNSteps = RecurrentSteps<Tensor>;
using RNNOutput = RecurrentOutput<Tensor>;

enum class RNNActivation { tanh, relu };

/// One step of a plain recurrent layer (Elman 1990), PyTorch's RNN and Keras' SimpleRNN:
///
///     h′ = tanh(x · W_ihᵀ + h · W_hhᵀ + b)     or relu instead of tanh
///
/// The state is h, (batch, hidden). It is computed in ops as an LSTM is, see LSTMCell. All
/// parameters start as U(±1/√hidden). Throws Error for sizes that do not fit.
struct RNNCell {
  RNNCell(int64_t in, int64_t hidden, Generator& generator,
          RNNActivation activation = RNNActivation::tanh);

  /// One time step: x (batch, in).
  Tensor operator()(const Tensor& x, const Tensor& before) const;
  /// x · W_ihᵀ + b, (…, in) → (…, hidden): the part that does not depend on the state.
  Tensor project(const Tensor& x) const;
  /// One time step from project(x), (batch, hidden).
  Tensor step(const Tensor& projected, const Tensor& before) const;
  /// All time steps, one after the other, from project(x), (time, batch, hidden).
  RNNSteps steps(const Tensor& projected, const Tensor& before) const;
  /// Zeros.
  Tensor initial(int64_t batch) const;
  int64_t in() const { return weight_ih.size(1); }
  int64_t hidden() const { return weight_hh.size(1); }

  Tensor weight_ih;  ///< (hidden, in)
  Tensor weight_hh;  ///< (hidden, hidden)
  Tensor bias;       ///< (hidden), or undefined
  RNNActivation activation;

  void parameters(auto&& visit) {
    visit("weight_ih", weight_ih);
    visit("weight_hh", weight_hh);
    visit("bias", bias);
  }
};

/// RNN cells over whole sequences, stacked and in one or both directions: x (batch, time, in).
/// Masks, initial states, dropout and errors are those of LSTM (layers/recurrent/lstm.h).
struct RNN {
  RNN(int64_t in, int64_t hidden, Generator& generator, RecurrentOptions options = {},
      RNNActivation activation = RNNActivation::tanh);

  RNNOutput operator()(const Tensor& x, const Mask& mask = {},
                       Generator* generator = nullptr) const;
  RNNOutput operator()(const Tensor& x, const std::vector<Tensor>& initial, const Mask& mask = {},
                       Generator* generator = nullptr) const;

  std::vector<RNNCell> forward, backward;  ///< a cell for each layer; backward may be empty
  double dropout;

  void parameters(auto&& visit) {
    visit("forward", forward);
    visit("backward", backward);
  }
};

}  // namespace gradus
