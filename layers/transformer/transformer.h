#pragma once

#include "core/ops/dropout.h"
#include "core/ops/mask.h"
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

/// Two linear layers (equation 2):
///
///     y = W₂ relu(W₁ x + b₁) + b₂
struct FeedForward {
  FeedForward(int64_t size, int64_t hidden, Generator& generator)
      : inner(size, hidden, generator), outer(hidden, size, generator) {}

  Tensor operator()(const Tensor& x, double dropout = 0, Generator* generator = nullptr) const {
    return outer(gradus::dropout(relu(inner(x)), dropout, generator));
  }

  Dense inner, outer;

  void parameters(auto&& visit) {
    visit("inner", inner);
    visit("outer", outer);
  }
};

struct TransformerOptions {
  int64_t feed_forward = 0;  ///< size of its hidden layer; 4 · size if 0
  double dropout = 0;        ///< of what a sublayer adds, of weights and of the hidden layer
  /// x + f(norm(x)) (Xiong et al. 2020) or, as at first, norm(x + f(x)). What is normalised before
  /// wants one more norm after the last layer.
  bool norm_first = true;
};

/// Self-attention, then feed-forward, each beside a residual connection: x (batch, time, size) →
/// the same. The mask is MultiHeadAttention's. Throws Error as its parts do.
struct TransformerEncoderLayer {
  TransformerEncoderLayer(int64_t size, int64_t heads, Generator& generator,
                          TransformerOptions options = {});

  Tensor operator()(const Tensor& x, const Mask& mask = {}, Generator* dropout = nullptr) const;

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

/// Self-attention, attention to the encoder's memory, then feed-forward. In training all at once:
///
///     layer(x, layer.prepare(x), Mask::causal(time, time).unsqueeze(0), memory, memory_mask)
///
/// with memory = layer.cross.prepare(encoded, encoded); in decoding, for the newest x alone,
/// `past = past + layer.prepare(x)` and then layer(x, past, {}, memory, memory_mask).
struct TransformerDecoderLayer {
  TransformerDecoderLayer(int64_t size, int64_t heads, Generator& generator,
                          TransformerOptions options = {});

  /// What later positions look at.
  KeyValues prepare(const Tensor& x) const;
  /// The output (batch, time, size), and the weights of attention to the memory.
  AttentionOutput operator()(const Tensor& x, const KeyValues& past, const Mask& past_mask,
                             const KeyValues& memory, const Mask& memory_mask,
                             Generator* dropout = nullptr) const;

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
