#pragma once

#include <doctest/doctest.h>

#include "core/functions/gradient_check.h"
#include "layers/layers.h"

namespace gradus::testing {

template <class L>
L in_dtype(L layer, DType dtype) {
  for_each_parameter(layer, [&](const std::string&, Tensor& parameter) {
    parameter = cast(parameter.detach(), dtype).require_grad();
  });
  return layer;
}

template <class L>
L as_float64(L layer) {
  return in_dtype(std::move(layer), DType::float64);
}

/// What has no parameters, as a layer.
struct NoParameters {
  void parameters(auto&&) {}
};

/// Everything that a layer gives, one after the other.
inline Tensor joined(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> flat;
  for (const Tensor& x : tensors) flat.push_back(reshape(contiguous(x), {-1}));
  return concat(flat, 0);
}

/// The tensors of a recurrent layer's state.
inline std::vector<const Tensor*> tensors_of(const LSTMState& state) {
  return {&state.h, &state.c};
}
inline std::vector<const Tensor*> tensors_of(const Tensor& state) { return {&state}; }
inline std::vector<Tensor*> tensors_of(LSTMState& state) { return {&state.h, &state.c}; }
inline std::vector<Tensor*> tensors_of(Tensor& state) { return {&state}; }

template <class State>
std::vector<Tensor> all_tensors(const RecurrentOutput<State>& result) {
  std::vector<Tensor> tensors{result.output};
  for (const State& state : result.states)
    for (const Tensor* x : tensors_of(state)) tensors.push_back(*x);
  return tensors;
}

/// An RNN with relu, in the place of one with tanh.
struct ReluRNN : RNN {
  ReluRNN(int64_t in, int64_t hidden, Generator& generator, RecurrentOptions options = {})
      : RNN(in, hidden, generator, options, RNNActivation::relu) {}
};

/// First and second derivatives of `f(inputs)` in the inputs and in all parameters of the layer,
/// which `f` uses, against finite differences.
template <class L>
void check_gradients(L& layer, std::vector<Tensor> inputs, const TensorFunction& f) {
  for (const Tensor& parameter : parameters(layer)) inputs.push_back(parameter);
  for (const auto& mismatch : {first_order_mismatch(f, inputs), second_order_mismatch(f, inputs)}) {
    CAPTURE(mismatch.text());
    CHECK(mismatch.tolerances <= 1);
  }
}

}  // namespace gradus::testing
