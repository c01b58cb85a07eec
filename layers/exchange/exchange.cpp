#include "layers/exchange/exchange.h"

#include <algorithm>
#include <cstring>

#include "core/autograd/autograd.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/tensor/tensor.h"

namespace gradus::exchange {

namespace {

using Tensors = std::vector<Tensor>;

Tensors same(const Tensors& x) { return x; }
Tensors transposed(const Tensors& x) { return {transpose(x[0])}; }

void add(Correspondences& list, const Tensor& ours, const std::string& name) {
  if (ours.defined()) list.push_back({{ours}, {name}, same, same});
}
void add_transposed(Correspondences& list, const Tensor& ours, const std::string& name) {
  list.push_back({{ours}, {name}, transposed, transposed});
}
void add_biases(Correspondences& list, const Tensor& ours, const std::string& first,
                const std::string& second) {
  if (!ours.defined()) return;
  list.push_back({{ours},
                  {first, second},
                  [](const Tensors& x) {
                    return Tensors{x[0], zeros_like(x[0])};
                  },
                  [](const Tensors& x) { return Tensors{x[0] + x[1]}; }});
}

/// Several weights one above the other, as one.
void add_stacked(Correspondences& list, const Tensors& ours, const std::string& name) {
  list.push_back(
      {ours,
       {name},
       [](const Tensors& x) { return Tensors{concat(x, 0)}; },
       [n = static_cast<int64_t>(ours.size())](const Tensors& x) { return split(x[0], n, 0); }});
}
/// A tensor, a matrix transposed, under another shape with the same elements.
void add_reshaped(Correspondences& list, const Tensor& ours, const std::string& name,
                  const Shape& shape) {
  if (!ours.defined()) return;
  const bool is_matrix = ours.rank() == 2;
  list.push_back({{ours},
                  {name},
                  [=](const Tensors& x) {
                    return Tensors{reshape(contiguous(is_matrix ? transpose(x[0]) : x[0]), shape)};
                  },
                  [=, mine = ours.shape()](const Tensors& x) {
                    return Tensors{is_matrix ? transpose(reshape(x[0], {mine[1], mine[0]}))
                                             : reshape(x[0], mine)};
                  }});
}

std::string inside(const std::string& owner, const std::string& name, char separator) {
  return owner.empty() ? name : owner + separator + name;
}

std::string path(std::string name) {
  std::ranges::replace(name, '.', '/');
  return name;
}

/// What the cells have in common, in PyTorch.
template <class Cell>
void add_torch_weights(Correspondences& list, const Cell& cell, const std::string& name,
                       const std::string& suffix) {
  add(list, cell.weight_ih, inside(name, "weight_ih", '.') + suffix);
  add(list, cell.weight_hh, inside(name, "weight_hh", '.') + suffix);
}
template <class Cell>
void add_torch_cell(Correspondences& list, const Cell& cell, const std::string& name,
                    const std::string& suffix) {
  add_torch_weights(list, cell, name, suffix);
  add_biases(list, cell.bias, inside(name, "bias_ih", '.') + suffix,
             inside(name, "bias_hh", '.') + suffix);
}
void add_torch_cell(Correspondences& list, const GRUCell& cell, const std::string& name,
                    const std::string& suffix) {
  add_torch_weights(list, cell, name, suffix);
  if (!cell.bias.defined()) return;
  list.push_back(
      {{cell.bias, cell.bias_hn},
       {inside(name, "bias_ih", '.') + suffix, inside(name, "bias_hh", '.') + suffix},
       [](const Tensors& x) {
         return Tensors{x[0], concat({zeros({2 * x[1].numel()}, x[1].dtype()), x[1]}, 0)};
       },
       [](const Tensors& x) {
         const Tensors ih = split(x[0], 3, 0), hh = split(x[1], 3, 0);
         return Tensors{concat({ih[0] + hh[0], ih[1] + hh[1], ih[2]}, 0), hh[2]};
       }});
}
template <class Network>
void add_torch_layers(Correspondences& list, const Network& network, const std::string& name) {
  for (size_t layer = 0; layer < network.forward.size(); ++layer) {
    const std::string suffix = fmt::format("_l{}", layer);
    add_torch_cell(list, network.forward[layer], name, suffix);
    if (!network.backward.empty())
      add_torch_cell(list, network.backward[layer], name, suffix + "_reverse");
  }
}

template <class Cell>
void add_keras_cell(Correspondences& list, const Cell& cell, const std::string& name) {
  add_transposed(list, cell.weight_ih, inside(name, "kernel", '/'));
  add_transposed(list, cell.weight_hh, inside(name, "recurrent_kernel", '/'));
  add(list, cell.bias, inside(name, "bias", '/'));
}
/// r, z, n to Keras' z, r, h, and back.
Tensor swapped(const Tensor& x) {
  const Tensors gates = split(x, 3, 0);
  return concat({gates[1], gates[0], gates[2]}, 0);
}
void add_keras_cell(Correspondences& list, const GRUCell& cell, const std::string& name) {
  auto add_kernel = [&](const Tensor& weight, const char* part) {
    list.push_back({{weight},
                    {inside(name, part, '/')},
                    [](const Tensors& x) { return Tensors{transpose(swapped(x[0]))}; },
                    [](const Tensors& x) { return Tensors{swapped(transpose(x[0]))}; }});
  };
  add_kernel(cell.weight_ih, "kernel");
  add_kernel(cell.weight_hh, "recurrent_kernel");
  if (!cell.bias.defined()) return;
  list.push_back(
      {{cell.bias, cell.bias_hn},
       {inside(name, "bias", '/')},
       [](const Tensors& x) {
         const Tensor none = zeros({2 * x[1].numel()}, x[1].dtype());
         return Tensors{stack({swapped(x[0]), concat({none, x[1]}, 0)}, 0)};
       },
       [](const Tensors& x) {
         const Tensors in = split(swapped(x[0][0]), 3, 0), hidden = split(swapped(x[0][1]), 3, 0);
         return Tensors{concat({in[0] + hidden[0], in[1] + hidden[1], in[2]}, 0), hidden[2]};
       }});
}
template <class Network>
void add_keras_layers(Correspondences& list, const Network& network, const std::string& name,
                      const std::string& kind) {
  for (size_t layer = 0; layer < network.forward.size(); ++layer) {
    const std::string stacked = path(name) + (layer > 0 ? fmt::format("_{}", layer) : ""),
                      cell = kind + "_cell";
    if (network.backward.empty()) {
      add_keras_cell(list, network.forward[layer], inside(stacked, cell, '/'));
    } else {
      for (const bool back : {false, true})
        add_keras_cell(list, (back ? network.backward : network.forward)[layer],
                       inside(stacked, (back ? "backward_" : "forward_") + kind + "/" + cell, '/'));
    }
  }
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  const Tensor x = contiguous(a.detach()), y = contiguous(b.detach());
  return dispatch(x.dtype(), [&](auto element) {
    const auto bits = x.span<decltype(element)>();
    return std::memcmp(bits.data(), y.span<decltype(element)>().data(), bits.size_bytes()) == 0;
  });
}

}  // namespace

void PyTorch::operator()(const std::string& name, Tensor& tensor) { add(list, tensor, name); }

bool PyTorch::operator()(const std::string& name, LSTM& network) {
  add_torch_layers(list, network, name);
  return false;
}
bool PyTorch::operator()(const std::string& name, LSTMCell& cell) {
  add_torch_cell(list, cell, name, "");
  return false;
}
bool PyTorch::operator()(const std::string& name, GRU& network) {
  add_torch_layers(list, network, name);
  return false;
}
bool PyTorch::operator()(const std::string& name, GRUCell& cell) {
  add_torch_cell(list, cell, name, "");
  return false;
}
bool PyTorch::operator()(const std::string& name, RNN& network) {
  add_torch_layers(list, network, name);
  return false;
}
bool PyTorch::operator()(const std::string& name, RNNCell& cell) {
  add_torch_cell(list, cell, name, "");
  return false;
}

bool PyTorch::operator()(const std::string& name, MultiHeadAttention& attention) {
  const Dense &q = attention.query, &k = attention.key, &v = attention.value;
  auto in = [&](const char* what) { return inside(name, what, '.'); };
  if (k.weight.shape() == q.weight.shape() && v.weight.shape() == q.weight.shape()) {
    add_stacked(list, {q.weight, k.weight, v.weight}, in("in_proj_weight"));
  } else {
    add(list, q.weight, in("q_proj_weight"));
    add(list, k.weight, in("k_proj_weight"));
    add(list, v.weight, in("v_proj_weight"));
  }
  if (q.bias.defined()) add_stacked(list, {q.bias, k.bias, v.bias}, in("in_proj_bias"));
  add(list, attention.output.weight, in("out_proj.weight"));
  add(list, attention.output.bias, in("out_proj.bias"));
  return false;
}

namespace {

/// A layer of weight and bias under another name.
void add_renamed(Correspondences& list, const auto& layer, const std::string& name) {
  add(list, layer.weight, name + ".weight");
  add(list, layer.bias, name + ".bias");
}

}  // namespace

bool PyTorch::operator()(const std::string& name, TransformerEncoderLayer& layer) {
  auto in = [&](const char* part) { return inside(name, part, '.'); };
  (*this)(in("self_attn"), layer.attention);
  add_renamed(list, layer.feed_forward.inner, in("linear1"));
  add_renamed(list, layer.feed_forward.outer, in("linear2"));
  add_renamed(list, layer.attention_norm, in("norm1"));
  add_renamed(list, layer.feed_forward_norm, in("norm2"));
  return false;
}

bool PyTorch::operator()(const std::string& name, TransformerDecoderLayer& layer) {
  auto in = [&](const char* part) { return inside(name, part, '.'); };
  (*this)(in("self_attn"), layer.attention);
  (*this)(in("multihead_attn"), layer.cross);
  add_renamed(list, layer.feed_forward.inner, in("linear1"));
  add_renamed(list, layer.feed_forward.outer, in("linear2"));
  add_renamed(list, layer.attention_norm, in("norm1"));
  add_renamed(list, layer.cross_norm, in("norm2"));
  add_renamed(list, layer.feed_forward_norm, in("norm3"));
  return false;
}

void Keras::operator()(const std::string& name, Tensor& tensor) { add(list, tensor, path(name)); }

bool Keras::operator()(const std::string& name, Dense& dense) {
  add_transposed(list, dense.weight, inside(path(name), "kernel", '/'));
  add(list, dense.bias, inside(path(name), "bias", '/'));
  return false;
}

bool Keras::operator()(const std::string& name, Embedding& embedding) {
  add(list, embedding.weight, inside(path(name), "embeddings", '/'));
  return false;
}

bool Keras::operator()(const std::string& name, LayerNorm& norm) {
  add(list, norm.weight, inside(path(name), "gamma", '/'));
  add(list, norm.bias, inside(path(name), "beta", '/'));
  return false;
}

bool Keras::operator()(const std::string& name, LSTM& network) {
  add_keras_layers(list, network, name, "lstm");
  return false;
}
bool Keras::operator()(const std::string& name, LSTMCell& cell) {
  add_keras_cell(list, cell, path(name));
  return false;
}
bool Keras::operator()(const std::string& name, GRU& network) {
  add_keras_layers(list, network, name, "gru");
  return false;
}
bool Keras::operator()(const std::string& name, GRUCell& cell) {
  add_keras_cell(list, cell, path(name));
  return false;
}
bool Keras::operator()(const std::string& name, RNN& network) {
  add_keras_layers(list, network, name, "simple_rnn");
  return false;
}
bool Keras::operator()(const std::string& name, RNNCell& cell) {
  add_keras_cell(list, cell, path(name));
  return false;
}

bool Keras::operator()(const std::string& name, MultiHeadAttention& attention) {
  const int64_t size = attention.output.weight.size(0), heads = attention.heads,
                each = size / heads;
  auto in = [&](const char* what) { return inside(path(name), what, '/'); };
  auto add_projection = [&](const Dense& dense, const std::string& part) {
    add_reshaped(list, dense.weight, part + "/kernel", {dense.weight.size(1), heads, each});
    add_reshaped(list, dense.bias, part + "/bias", {heads, each});
  };
  add_projection(attention.query, in("query"));
  add_projection(attention.key, in("key"));
  add_projection(attention.value, in("value"));
  add_reshaped(list, attention.output.weight, in("attention_output/kernel"), {heads, each, size});
  add(list, attention.output.bias, in("attention_output/bias"));
  return false;
}

void load(const Correspondences& list, const NamedTensors& theirs) {
  const NoGrad pause;
  NamedTensors buffers = save(list, {});
  copy_by_name(theirs, buffers);
  for (const Correspondence& c : list) {
    Tensors given;
    for (const std::string& name : c.names) given.push_back(buffers.at(name));
    const Tensors converted = c.to_ours(given);
    for (size_t i = 0; i < c.ours.size(); ++i) Tensor(c.ours[i]).assign(converted[i]);
  }
}

NamedTensors save(const Correspondences& list, const NamedTensors& original) {
  const NoGrad pause;
  NamedTensors theirs;
  for (const Correspondence& c : list) {
    Tensors values = c.to_theirs(c.ours), before;
    for (const std::string& name : c.names)
      if (const auto found = original.find(name);
          found != original.end() && found->second.shape() == values[before.size()].shape() &&
          found->second.dtype() == values[before.size()].dtype())
        before.push_back(found->second);
    if (before.size() == values.size() && std::ranges::equal(c.to_ours(before), c.ours, same_bits))
      values = before;
    for (size_t i = 0; i < values.size(); ++i) {
      Tensor copy = Tensor::uninitialised(values[i].shape(), values[i].dtype());
      copy.assign(values[i]);
      if (!theirs.emplace(c.names[i], copy).second)
        throw Error(fmt::format("exchange: two tensors of the model become '{}'", c.names[i]));
    }
  }
  return theirs;
}

}  // namespace gradus::exchange
