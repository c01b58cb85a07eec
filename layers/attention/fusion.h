#pragma once

#include "core/ops/mask.h"
#include "layers/attention/multi_head_attention.h"

namespace gradus {

/// How what other modalities say joins a sequence:
///
///     concatenated  y = W [x; c₁; …; c_M] + b
///     gated         y = x + Σₘ gₘ ∘ cₘ, gₘ = sigmoid(Wₘ [x; cₘ] + bₘ)  after Arevalo et al. 2017
enum class Join { concatenated, gated };

/// One modality of a sequence, encoded on its own, and which of its positions take part.
struct Modality {
  Tensor encoded;  ///< (batch, time, size)
  Mask mask = {};  ///< (batch, time)
};

struct FusionOutput {
  Tensor output;                ///< (batch, time, size)
  std::vector<Tensor> weights;  ///< of each other modality: (batch, heads, time, its time)
};

/// Lets one modality look at others (cross-modal attention, Tsai et al. 2019, section 3.1): for
/// each of them cₘ = MultiHeadAttention(x, mₘ, mₘ), joined to x. x is (batch, time, size), and the
/// output too; other modalities have their own times and sizes. Where all of a modality is ignored
/// it adds nothing. To let several look at each other, give each a Fusion of its own:
///
///     const FusionOutput seen = words_see({words, word_mask}, {{image, patch_mask}});
///     const FusionOutput read = image_reads({image, patch_mask}, {{words, word_mask}});
///
/// Throws Error for sizes that do not fit, or another number of modalities.
struct Fusion {
  /// `sizes` are those of the other modalities.
  Fusion(Join join, int64_t size, const std::vector<int64_t>& sizes, int64_t heads,
         Generator& generator);

  FusionOutput operator()(const Modality& x, const std::vector<Modality>& others,
                          Generator* dropout = nullptr) const;

  Join join;
  std::vector<MultiHeadAttention> attention;  ///< one for each other modality
  std::vector<Dense> gates;                   ///< Wₘ, bₘ
  std::optional<Dense> combine;               ///< W, b

  void parameters(auto&& visit) {
    visit("attention", attention);
    visit("gates", gates);
    visit("combine", combine);
  }
};

}  // namespace gradus
