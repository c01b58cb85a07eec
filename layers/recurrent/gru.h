#pragma once

#include "core/functions/mask.h"
#include "core/tensor/random.h"
#include "layers/recurrent/recurrent.h"

namespace gradus {

using GRUSteps = RecurrentSteps<Tensor>;
using GRUOutput = RecurrentOutput<Tensor>;

/// One step of a gated recurrent unit (Cho et al. 2014, with the reset gate behind the product, as
/// in their version 1 and in cuDNN):
///
///     r = σ(x · W_irᵀ + h · W_hrᵀ + b_r)
///     z = σ(x · W_izᵀ + h · W_hzᵀ + b_z)
///     n = tanh(x · W_inᵀ + b_n + r · (h · W_hnᵀ + b_hn))
///     h′ = (1 − z) · n + z · h
///
/// That is PyTorch's GRU, and Keras' with reset_after, its default; the gates are in PyTorch's
/// order. The state is h, (batch, hidden). It is computed in ops as an LSTM is, see LSTMCell. All
/// parameters start as U(±1/√hidden). Throws Error for sizes that do not fit.
struct GRUCell {
  GRUCell(int64_t in, int64_t hidden, Generator& generator);

  /// One time step: x (batch, in).
  Tensor operator()(const Tensor& x, const Tensor& before) const;
  /// x · W_ihᵀ + b, (…, in) → (…, 3 · hidden): the part that does not depend on the state.
  Tensor project(const Tensor& x) const;
  /// One time step from project(x), (batch, 3 · hidden).
  Tensor step(const Tensor& projected, const Tensor& before) const;
  /// All time steps, one after the other, from project(x), (time, batch, 3 · hidden).
  GRUSteps steps(const Tensor& projected, const Tensor& before) const;
  /// Zeros.
  Tensor initial(int64_t batch) const;
  int64_t in() const { return weight_ih.size(1); }
  int64_t hidden() const { return weight_hh.size(1); }

  Tensor weight_ih;  ///< (3 · hidden, in), gates r, z, n
  Tensor weight_hh;  ///< (3 · hidden, hidden)
  Tensor bias;       ///< (3 · hidden): b_r, b_z, b_n; or undefined
  Tensor bias_hn;    ///< (hidden), or undefined

  void parameters(auto&& visit) {
    visit("weight_ih", weight_ih);
    visit("weight_hh", weight_hh);
    visit("bias", bias);
    visit("bias_hn", bias_hn);
  }
};

/// GRU cells over whole sequences, stacked and in one or both directions: x (batch, time, in).
/// Masks, initial states, dropout and errors are those of LSTM (layers/recurrent/lstm.h).
struct GRU {
  GRU(int64_t in, int64_t hidden, Generator& generator, RecurrentOptions options = {});

  GRUOutput operator()(const Tensor& x, const Mask& mask = {},
                       Generator* generator = nullptr) const;
  GRUOutput operator()(const Tensor& x, const std::vector<Tensor>& initial, const Mask& mask = {},
                       Generator* generator = nullptr) const;

  std::vector<GRUCell> forward, backward;  ///< a cell for each layer; backward may be empty
  double dropout;

  void parameters(auto&& visit) {
    visit("forward", forward);
    visit("backward", backward);
  }
};

}  // namespace gradus
