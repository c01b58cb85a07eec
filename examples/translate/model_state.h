#pragma once

#include <map>
#include <string>
#include <vector>

#include "layers/layers.h"

/// What both architectures have in common: their options, and what passes between their parts.
namespace gradus::translate {

enum class Architecture { lstm, transformer };
enum class AttentionKind { dot, scaled, general, additive, local_m, local_p, multi_head };

/// By the names that users and files give them.
inline const std::map<std::string, Architecture> architectures = {
    {"lstm", Architecture::lstm}, {"transformer", Architecture::transformer}};
inline const std::map<std::string, AttentionKind> attentions = {
    {"dot", AttentionKind::dot},
    {"scaled", AttentionKind::scaled},
    {"general", AttentionKind::general},
    {"additive", AttentionKind::additive},
    {"local-m", AttentionKind::local_m},
    {"local-p", AttentionKind::local_p},
    {"multi-head", AttentionKind::multi_head}};

/// The name of `value` among `names`.
template <class T>
const std::string& name_among(const std::map<std::string, T>& names, T value) {
  return std::ranges::find(names, value, [](const auto& entry) { return entry.second; })->first;
}

struct ModelOptions {
  int64_t embedding = 128;     ///< a Transformer's is `hidden`
  int64_t hidden = 256;        ///< size of the states
  int layers = 1;              ///< of the encoder and of the decoder
  bool bidirectional = false;  ///< LSTM encoder: two directions of hidden / 2 each
  AttentionKind attention = AttentionKind::general;  ///< LSTM; a Transformer's is multi_head
  bool input_feeding = true;                         ///< LSTM
  double dropout = 0;  ///< on embeddings, between layers and before the output
  Architecture architecture = Architecture::lstm;
  int64_t heads = 4;           ///< of multi-head attention
  int64_t window = 10;         ///< D of local attention
  bool norm_first = true;      ///< Transformer: normalise before each sublayer, not after
  double label_smoothing = 0;  ///< in training
};

/// What the decoder looks back at: a row per sentence.
struct Memory {
  Mask mask;                        ///< (batch, source time): padding takes no part
  std::vector<KeyValues> attended;  ///< for each attention that looks back, one a layer
  std::vector<LSTMState> states;    ///< where an LSTM decoder begins, per layer
};

/// Between two steps of the decoder.
struct DecoderState {
  int64_t position = 0;                ///< how many tokens have gone in
  std::vector<LSTMState> states = {};  ///< LSTM, per layer
  Tensor fed = {};  ///< h̃ of the step before (zeros at first), with input feeding
  std::vector<KeyValues> past = {};  ///< Transformer: what its self-attention sees, per layer
};

struct DecoderStep {
  Tensor logits;   ///< (batch, target vocabulary)
  Tensor weights;  ///< (batch, source time)
  DecoderState state;
};

}  // namespace gradus::translate
