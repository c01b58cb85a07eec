#pragma once

#include <functional>

#include "layers/attention/multi_head_attention.h"
#include "layers/dense.h"
#include "layers/embedding.h"
#include "layers/layer_norm.h"
#include "layers/parameters.h"
#include "layers/recurrent/lstm.h"

/// Weights of PyTorch and Keras: into a model and out of it, by name and in their layouts.
///
///     load_pytorch(model, load_tensors("state_dict.safetensors").tensors);
///     save_tensors("state_dict.safetensors", {to_pytorch(model), {}});
///
/// A model fits that has layers of the same kinds and names; file names of ours are
/// "encoder.weight".
///
/// PyTorch has "encoder.weight_ih_l0", "encoder.bias_ih_l0", "encoder.bias_hh_l0" and, backward,
/// "…_l0_reverse" for our LSTM "encoder", whose one bias is the sum of its two,
/// and for a MultiHeadAttention "in_proj_weight" (or "q_proj_weight" and so on, where keys or
/// values have a size of their own), "in_proj_bias" and "out_proj.weight". A Dense, an Embedding, a
/// LayerNorm and tensors outside of layers have the same names and layouts.
///
/// Keras has the weights' paths, "encoder/lstm_cell/kernel"; in a Bidirectional
/// "encoder/forward_lstm/lstm_cell/kernel" and "encoder/backward_lstm/…"; the second layer of a
/// stack is the layer "encoder_1". Kernels are transposed, (in, out), and so is the
/// "recurrent_kernel"; a MultiHeadAttention has "query/kernel", (in, heads, key_dim), and so on,
/// and "attention_output/kernel", (heads, key_dim, out); a LayerNorm has "gamma" and "beta", an
/// Embedding "embeddings". The gates' order i, f, c, o is ours.
namespace gradus {

using NamedTensors = std::map<std::string, Tensor>;

namespace exchange {

/// Tensors of ours, and what they are elsewhere.
struct Correspondence {
  std::vector<Tensor> ours;
  std::vector<std::string> names;
  std::function<std::vector<Tensor>(const std::vector<Tensor>&)> to_theirs, to_ours;
};
using Correspondences = std::vector<Correspondence>;

/// Take layers whole that have other names or layouts elsewhere, and of all others the tensors.
struct PyTorch {
  Correspondences& list;
  bool operator()(const std::string&, auto&) { return true; }
  void operator()(const std::string& name, Tensor& tensor);
  bool operator()(const std::string& name, LSTM& lstm);
  bool operator()(const std::string& name, LSTMCell& cell);
  bool operator()(const std::string& name, MultiHeadAttention& attention);
};
struct Keras {
  Correspondences& list;
  bool operator()(const std::string&, auto&) { return true; }
  void operator()(const std::string& name, Tensor& tensor);
  bool operator()(const std::string& name, Dense& dense);
  bool operator()(const std::string& name, Embedding& embedding);
  bool operator()(const std::string& name, LayerNorm& norm);
  bool operator()(const std::string& name, LSTM& lstm);
  bool operator()(const std::string& name, LSTMCell& cell);
  bool operator()(const std::string& name, MultiHeadAttention& attention);
};

template <class Visitor, class L>
Correspondences of(L& model) {
  Correspondences list;
  visit_parts(model, Visitor{list});
  return list;
}

void load(const Correspondences& list, const NamedTensors& theirs);
NamedTensors save(const Correspondences& list, const NamedTensors& original);

}  // namespace exchange

/// Copies the tensors of a PyTorch state_dict into the model, all or nothing.
/// Throws one Error that lists every tensor that is missing, unknown, or of another shape or dtype.
template <class L>
void load_pytorch(L& model, const NamedTensors& state_dict) {
  exchange::load(exchange::of<exchange::PyTorch>(model), state_dict);
}
/// The state_dict for a PyTorch model. Of an LSTM's two biases the first is ours and the second 0,
/// unless the two of `original`, a state_dict that was loaded, still add up to ours, bit for bit:
/// then they are as they were. So what was only loaded is written back without a changed bit.
template <class L>
NamedTensors to_pytorch(L& model, const NamedTensors& original = {}) {
  return exchange::save(exchange::of<exchange::PyTorch>(model), original);
}

/// The same with the weights of a Keras model by their paths.
template <class L>
void load_keras(L& model, const NamedTensors& weights) {
  exchange::load(exchange::of<exchange::Keras>(model), weights);
}
template <class L>
NamedTensors to_keras(L& model) {
  return exchange::save(exchange::of<exchange::Keras>(model), {});
}

}  // namespace gradus
