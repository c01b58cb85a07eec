#pragma once

#include <functional>

#include "layers/attention/multi_head_attention.h"
#include "layers/dense.h"
#include "layers/embedding.h"
#include "layers/layer_norm.h"
#include "layers/parameters.h"
#include "layers/recurrent/gru.h"
#include "layers/recurrent/lstm.h"
#include "layers/recurrent/rnn.h"
#include "layers/transformer/transformer.h"

/// Weights of PyTorch and Keras: into a model and out of it, by name and in their layouts.
///
///     load_pytorch(model, load_tensors("state_dict.safetensors").tensors);
///     save_tensors("state_dict.safetensors", {to_pytorch(model), {}});
///
/// The model has layers of the same kinds and names; its own files have names such as
/// "encoder.weight".
///
/// PyTorch: an LSTM, GRU or RNN "encoder" is "encoder.weight_ih_l0", "encoder.bias_ih_l0",
/// "encoder.bias_hh_l0" and so on, the backward direction "…_l0_reverse". Where PyTorch adds two
/// biases, our one bias is their sum; of a GRU, b_hn is the last third of bias_hh. A
/// MultiHeadAttention is "in_proj_weight" (or "q_proj_weight" and so on, if keys or values have a
/// size of their own), "in_proj_bias" and "out_proj.weight". Of a TransformerEncoderLayer the
/// attention is "self_attn", the feed-forward layers are "linear1" and "linear2" and the norms
/// "norm1" and "norm2"; of a TransformerDecoderLayer the attention to the memory is
/// "multihead_attn" and the norms are "norm1" to "norm3": a model whose vectors of them are called
/// "encoder.layers" and "decoder.layers" has the names of torch.nn.Transformer. A Dense, an
/// Embedding, a LayerNorm and tensors outside of layers have the same names and layouts. A layer
/// without biases has none in the file.
///
/// Keras: the weights' paths, "encoder/lstm_cell/kernel"; in a Bidirectional
/// "encoder/forward_lstm/lstm_cell/kernel" and "encoder/backward_lstm/…"; a GRU has "gru" and an
/// RNN "simple_rnn" instead of "lstm"; the second layer of a stack is the layer "encoder_1".
/// Kernels are transposed, (in, out), and so is the "recurrent_kernel". The gates of an LSTM have
/// our order i, f, c, o; those of a GRU are z, r, h, and its "bias" is (2, 3 · units), for x and
/// for h: reset_after=True, Keras' default. A MultiHeadAttention has "query/kernel", (in, heads,
/// key_dim), and so on, and "attention_output/kernel", (heads, key_dim, out); a LayerNorm has
/// "gamma" and "beta", an Embedding "embeddings".
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
  bool operator()(const std::string& name, LSTM& network);
  bool operator()(const std::string& name, LSTMCell& cell);
  bool operator()(const std::string& name, GRU& network);
  bool operator()(const std::string& name, GRUCell& cell);
  bool operator()(const std::string& name, RNN& network);
  bool operator()(const std::string& name, RNNCell& cell);
  bool operator()(const std::string& name, MultiHeadAttention& attention);
  bool operator()(const std::string& name, TransformerEncoderLayer& layer);
  bool operator()(const std::string& name, TransformerDecoderLayer& layer);
};
struct Keras {
  Correspondences& list;
  bool operator()(const std::string&, auto&) { return true; }
  void operator()(const std::string& name, Tensor& tensor);
  bool operator()(const std::string& name, Dense& dense);
  bool operator()(const std::string& name, Embedding& embedding);
  bool operator()(const std::string& name, LayerNorm& norm);
  bool operator()(const std::string& name, LSTM& network);
  bool operator()(const std::string& name, LSTMCell& cell);
  bool operator()(const std::string& name, GRU& network);
  bool operator()(const std::string& name, GRUCell& cell);
  bool operator()(const std::string& name, RNN& network);
  bool operator()(const std::string& name, RNNCell& cell);
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
/// The state_dict for a PyTorch model. Where PyTorch adds two biases, the first is ours and the
/// second 0, unless the two of `original`, a state_dict that was loaded, still add up to ours, bit
/// for bit: then they are as they were. So what was only loaded is written back without a changed
/// bit.
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
NamedTensors to_keras(L& model, const NamedTensors& original = {}) {
  return exchange::save(exchange::of<exchange::Keras>(model), original);
}

}  // namespace gradus
