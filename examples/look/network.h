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
///     y = W₃ relu(W₂ [relu(W₁ c₁ + b₁); …; relu(W₁ c₉ + b₁)] + b₂) + b₃ + places
///
/// W start as kaiming_uniform, with gain 2 in W₃; the places as twice the sine and cosine of the
/// row, then of the column (see sinusoidal_positions): large enough for sharp attention at once.
/// Throws Error for sizes that do not fit, an odd size, and fewer than three cells across.
struct PatchEncoder {
  PatchEncoder(int64_t across, int64_t cell_size, int64_t size, Generator& generator);

  Tensor operator()(const Tensor& cells) const;

  int64_t across;
  Dense cell, patch, content;  ///< W₁, W₂, W₃
  Tensor places;               ///< (patches, size)

  void parameters(auto&& visit) {
    visit("cell", cell);
    visit("patch", patch);
    visit("content", content);
    visit("places", places);
  }
};

/// One look of questions x (pictures, questions, size) at the pictures, and a thought about it:
///
///     y = Fusion(norm(x), picture)     output = y + FeedForward(norm(y))
struct Hop {
  Hop(int64_t size, int64_t heads, Generator& generator);

  FusionOutput operator()(const Tensor& x, const Modality& picture) const;

  LayerNorm look_norm, think_norm;
  Fusion look;  ///< gated: norm(x) + g ∘ MultiHeadAttention(norm(x), picture, picture)
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
  bool picture = true, question = true;  ///< whether it sees them
};

struct LookOutput {
  Tensor logits;                ///< (pictures, questions, answers)
  std::vector<Tensor> weights;  ///< of each hop, (pictures, heads, questions, patches)
};

/// Answers questions about pictures: two modalities, encoded apart, of which the one attends to the
/// other and is fused with it. x⁰ is the sum of a question's words, whatever their order:
///
///     x⁰ = Σ Embedding(word)     xᵏ = Hopₖ(xᵏ⁻¹, PatchEncoder(cells))
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
  std::vector<Hop> hops;
  LayerNorm norm;
  Dense hidden, answer;  ///< W′, W

  void parameters(auto&& visit) {
    visit("words", words);
    visit("picture", picture);
    visit("hops", hops);
    visit("norm", norm);
    visit("hidden", hidden);
    visit("answer", answer);
  }
};

}  // namespace gradus::look
