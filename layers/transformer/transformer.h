#pragma once

#include <functional>
#include <utility>

#include "core/functions/dropout.h"
#include "core/functions/mask.h"
#include "core/ops/pointwise.h"
#include "layers/attention/multi_head_attention.h"
#include "layers/layer_norm.h"

/// The parts of a Transformer: Vaswani et al. 2017, "Attention is all you need".
namespace gradus {

/// (time, size) of the positions p = first, first + 1, … (section 3.5):
///
///     y₂ᵢ = sin(p · ω)     y₂ᵢ₊₁ = cos(p · ω)     ω = 1 / 10000^(2i / size)
Tensor sinusoidal_positions(int64_t time, int64_t size, int64_t first = 0,
                            DType dtype = DType::float32);

/// A function between two linear layers: relu, gelu (core/ops/functions.h), …
using Activation = std::function<Tensor(const Tensor&)>;

/// Two linear layers (equation 2):
///
///     y = W₂ f(W₁ x + b₁) + b₂
///
/// with f = relu where nothing else is given, and without biases where the options say so.
struct FeedForward {
  FeedForward(int64_t size, int64_t hidden, Generator& generator, double dropout = 0,
              Activation activation = {}, DenseOptions options = {})
      : inner(size, hidden, generator, options),
        outer(hidden, size, generator, options),
        activation(std::move(activation)),
        dropout(dropout) {}

  Tensor operator()(const Tensor& x, Generator* generator = nullptr) const {
    const Scope scope(this);
    auto dropped = [&](const Tensor& h) { return gradus::dropout(h, dropout, generator); };
    const Tensor hidden = inner(x);
    // What is dropped before relu is 0 after it, and only relu's result is kept for the gradient.
    return outer(activation ? dropped(activation(hidden)) : relu(dropped(hidden)));
  }

  Dense inner, outer;
  Activation activation;  ///< relu if empty
  double dropout;         ///< of the hidden layer

  void parameters(auto&& visit) {
    visit("inner", inner);
    visit("outer", outer);
  }
};

struct TransformerOptions {
  int64_t feed_forward = 0;  ///< size of the hidden layer; 4 · size if 0
  double dropout = 0;        ///< of a sublayer's output, of weights and of the hidden layer
  /// x + f(norm(x)) (Xiong et al. 2020) or, as in 2017, norm(x + f(x)). The former needs one more
  /// LayerNorm after the last layer.
  bool norm_first = true;
  bool bias = true;            ///< of all linear layers and norms
  Activation activation = {};  ///< of the hidden layer; relu if empty
};

/// Self-attention, then feed-forward, each with a residual connection: x (batch, time, size) → the
/// same shape. The mask is that of MultiHeadAttention; what x holds at positions that it hides from
/// all others changes nothing, even NaN. Throws Error as its parts do, and for a
/// negative size of the hidden layer.
struct TransformerEncoderLayer {
  TransformerEncoderLayer(int64_t size, int64_t heads, Generator& generator,
                          TransformerOptions options = {});

  Tensor operator()(const Tensor& x, const Mask& mask = {}, Generator* generator = nullptr) const;

  TransformerOptions options;
  MultiHeadAttention attention;
  FeedForward feed_forward;
  LayerNorm attention_norm, feed_forward_norm;

  void parameters(auto&& visit) {
    visit("attention", attention);
    visit("feed_forward", feed_forward);
    visit("attention_norm", attention_norm);
    visit("feed_forward_norm", feed_forward_norm);
  }
};

/// Self-attention, attention to the encoder's memory, then feed-forward. In training, for all
/// positions at once:
///
///     layer(x, layer.prepare(x), Mask::causal(time, time), memory, memory_mask)
///
/// with memory = layer.cross.prepare(encoded, encoded); in decoding, for the newest x alone,
/// `past = past + layer.prepare(x)` and then layer(x, past, {}, memory, memory_mask).
struct TransformerDecoderLayer {
  TransformerDecoderLayer(int64_t size, int64_t heads, Generator& generator,
                          TransformerOptions options = {});

  /// The keys and values of x, for this position and later ones. With the mask of its own
  /// attention, what x holds at positions that no query sees changes nothing, even NaN.
  KeyValues prepare(const Tensor& x, const Mask& mask = {}) const;
  /// The output (batch, time, size), and the weights of attention to the memory.
  AttentionOutput operator()(const Tensor& x, const KeyValues& past, const Mask& past_mask,
                             const KeyValues& memory, const Mask& memory_mask,
                             Generator* generator = nullptr) const;

  TransformerOptions options;
  MultiHeadAttention attention, cross;
  FeedForward feed_forward;
  LayerNorm attention_norm, cross_norm, feed_forward_norm;

  void parameters(auto&& visit) {
    visit("attention", attention);
    visit("cross", cross);
    visit("feed_forward", feed_forward);
    visit("attention_norm", attention_norm);
    visit("cross_norm", cross_norm);
    visit("feed_forward_norm", feed_forward_norm);
  }
};

}  // namespace gradus
