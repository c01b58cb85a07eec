#pragma once

#include <optional>

#include "layers/attention/fusion.h"
#include "layers/embedding.h"
#include "layers/layer_norm.h"
#include "layers/transformer/transformer.h"

namespace gradus::look {

/// The patches of a picture, each with its place: cells (pictures, across², cell_size), row by row,
/// → (pictures, (across − 2)², size). A patch p is 3 × 3 cells c, and overlaps with others:
///
///     yₚ = W₃ relu(W₂ [relu(W₁ c₁ + b₁); …; relu(W₁ c₉ + b₁)] + b₂) + b₃ + W₄ [x; y; x² + y²]
///
/// where the middle of the picture is at x = y = 0, its patches are within ±1. With these
/// coordinates a product of query and key can be the squared distance of two places, p and r, which
/// is |p|² − 2 p · r + |r|²: one softmax tells what is closest to r, or furthest.
/// W start as kaiming_uniform, with gain √2, √2, 2 and 1. Throws Error for sizes that do not fit,
/// and for fewer than four cells across.
struct PatchEncoder {
  PatchEncoder(int64_t across, int64_t cell_size, int64_t size, Generator& generator);

  Tensor operator()(const Tensor& cells) const;

  int64_t across;
  Tensor places;                      ///< (patches, 3): x, y and x² + y²
  Dense cell, patch, content, place;  ///< W₁, W₂, W₃, W₄

  void parameters(auto&& visit) {
    visit("cell", cell);
    visit("patch", patch);
    visit("content", content);
    visit("place", place);
  }
};

/// One look of questions x (pictures, questions, size) at what is seen, and a thought about it:
///
///     y = Fusion(norm(x), seen)     output = y + FeedForward(norm(y))
struct Hop {
  Hop(int64_t size, int64_t heads, Generator& generator);

  FusionOutput operator()(const Tensor& x, const Modality& seen) const;

  LayerNorm look_norm, think_norm;
  Fusion look;  ///< gated: norm(x) + g ∘ MultiHeadAttention(norm(x), seen, seen)
  FeedForward think;

  void parameters(auto&& visit) {
    visit("look_norm", look_norm);
    visit("think_norm", think_norm);
    visit("look", look);
    visit("think", think);
  }
};

struct LookOptions {
  int64_t size = 64;                     ///< of all vectors
  int64_t heads = 4, hops = 3;           ///< of a look; looks
  int64_t objects = 12;                  ///< that it can find in a picture
  bool picture = true, question = true;  ///< whether it sees them
};

struct LookOutput {
  Tensor logits;  ///< (pictures, questions, answers)
  /// How much each hop looked at each patch, on the mean over its heads, (pictures, questions,
  /// patches): an object stands for the patches that it was found in.
  std::vector<Tensor> weights;
};

/// Answers questions about pictures: two modalities, encoded apart, of which the one attends to the
/// other and is fused with it. x⁰ is the sum of a question's words, whatever their order; o⁰ are as
/// many questions of the network's own, the same for all pictures, with which it finds objects. All
/// look at the patches first; then at the objects, and so do these:
///
///     x⁰ = Σ Embedding(word)
///     [x¹; o¹] = Hop₁([x⁰; o⁰], PatchEncoder(cells))
///     [xᵏ; oᵏ] = Hopₖ([xᵏ⁻¹; oᵏ⁻¹], normₖ(oᵏ⁻¹))           normₖ is that of Hopₖ
///     logits = W relu(W′ norm(xᴷ) + b′) + b
///
/// Without the picture there are no hops, without the question x⁰ is 0. cells are those of
/// PatchEncoder, `across` in each row; questions are ids, int64 (pictures, questions, words), 0 is
/// padding.
struct LookNetwork {
  LookNetwork(int64_t across, int64_t cell_size, int64_t words, int64_t answers,
              const LookOptions& options, Generator& generator);

  LookOutput operator()(const Tensor& cells, const Tensor& questions) const;

  LookOptions options;
  std::optional<Embedding> words;
  std::optional<PatchEncoder> picture;
  Tensor objects;  ///< o⁰
  std::vector<Hop> hops;
  LayerNorm norm;
  Dense hidden, answer;  ///< W′, W

  void parameters(auto&& visit) {
    visit("words", words);
    visit("picture", picture);
    visit("objects", objects);
    visit("hops", hops);
    visit("norm", norm);
    visit("hidden", hidden);
    visit("answer", answer);
  }
};

}  // namespace gradus::look
