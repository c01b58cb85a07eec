#pragma once

#include "examples/look/pictures.h"
#include "layers/attention/fusion.h"
#include "layers/embedding.h"
#include "layers/layer_norm.h"
#include "layers/transformer/transformer.h"

namespace gradus::look {

struct LookOptions {
  int64_t size = 64;  ///< of all vectors
  int64_t heads = 4;
  int64_t hops = 3;
  bool picture = true, question = true;  ///< false: a baseline that does not see it
};

struct LookOutput {
  Tensor logits;                ///< (pictures, questions, answers)
  std::vector<Tensor> weights;  ///< of each hop, (pictures, heads, questions, patches)
};

/// One look of the questions x at the picture: x and what is attended to are fused, then x goes
/// through a feed-forward layer.
struct Hop {
  Hop(int64_t size, int64_t heads, Generator& generator);

  FusionOutput operator()(const Tensor& x, const Modality& picture) const;

  LayerNorm look_norm, think_norm;
  Fusion look;
  FeedForward think;

  void parameters(auto&& visit) {
    visit("look_norm", look_norm);
    visit("think_norm", think_norm);
    visit("look", look);
    visit("think", think);
  }
};

struct LookNetwork {
  LookNetwork(int64_t words, int64_t answers, const LookOptions& options, Generator& generator);

  /// patches (pictures, patch_count, patch_size), sentences (sentences, words) of ids with their
  /// mask, asked (pictures, questions): which sentence is asked of which picture.
  LookOutput operator()(const Tensor& patches, const Tensor& sentences, const Mask& mask,
                        const Tensor& asked) const;

  Tensor read(const Tensor& sentences, const Mask& mask) const;
  Tensor see(const Tensor& patches) const;

  LookOptions options;
  Embedding words;
  TransformerEncoderLayer reader;
  Dense patch, around, content;
  LayerNorm content_norm;
  Tensor places;
  std::vector<Hop> hops;
  LayerNorm norm;
  Dense hidden, answer;

  void parameters(auto&& visit) {
    visit("words", words);
    visit("reader", reader);
    visit("patch", patch);
    visit("around", around);
    visit("content", content);
    visit("content_norm", content_norm);
    visit("places", places);
    visit("hops", hops);
    visit("norm", norm);
    visit("hidden", hidden);
    visit("answer", answer);
  }
};

}  // namespace gradus::look
