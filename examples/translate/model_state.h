#pragma once

#include <map>
#include <string>
#include <vector>

#include "layers/layers.h"

/// What the architectures share: their options, and the values that pass between their parts.
namespace gradus::translate {

enum class Architecture { lstm, gnmt, transformer };
enum class AttentionKind { dot, scaled, general, additive, local_m, local_p, multi_head };

/// Which weights are one matrix (Press & Wolf 2017): those of the output layer and the target
/// embeddings; or these and the source embeddings, where both sides have one vocabulary.
enum class Tied { no, output, all };

/// Names in files and on the command line.
inline const std::map<std::string, Architecture> architectures = {
    {"lstm", Architecture::lstm},
    {"gnmt", Architecture::gnmt},
    {"transformer", Architecture::transformer}};
inline const std::map<std::string, AttentionKind> attentions = {
    {"dot", AttentionKind::dot},
    {"scaled", AttentionKind::scaled},
    {"general", AttentionKind::general},
    {"additive", AttentionKind::additive},
    {"local-m", AttentionKind::local_m},
    {"local-p", AttentionKind::local_p},
    {"multi-head", AttentionKind::multi_head}};
inline const std::map<std::string, Tied> ties = {
    {"no", Tied::no}, {"output", Tied::output}, {"all", Tied::all}};

/// The largest sizes that a command line or a model file may ask for.
inline constexpr int64_t most_units = 65'536, most_layers = 64, most_window = 1'000'000;

struct ModelOptions {
  int64_t embedding = 128;     ///< a Transformer's is `hidden`
  int64_t hidden = 256;        ///< size of the states
  int layers = 1;              ///< of the encoder and of the decoder
  bool bidirectional = false;  ///< LSTM encoder: two directions of hidden / 2 each; true in GNMT
  AttentionKind attention =
      AttentionKind::general;  ///< LSTM; GNMT's is additive, a Transformer's multi_head
  bool input_feeding = true;   ///< LSTM
  double dropout = 0;          ///< on embeddings, between layers and before the output
  Architecture architecture = Architecture::lstm;
  int64_t heads = 4;           ///< of multi-head attention
  int64_t window = 10;         ///< D of local attention
  bool norm_first = true;      ///< Transformer: normalise before each sublayer, not after
  double label_smoothing = 0;  ///< in training
  double subword_dropout = 0;  ///< in training; see Subwords::encode()
  Tied tied = Tied::no;        ///< Transformer
};

/// What the decoder attends to; a row per sentence.
struct Memory {
  Mask mask;                        ///< (batch, source time): 1 where there is no padding
  std::vector<KeyValues> attended;  ///< of each attention layer over the source
  std::vector<LSTMState> states;    ///< initial states of an LSTM decoder, per layer
};

/// Between two steps of the decoder.
struct DecoderState {
  int64_t position = 0;                ///< number of tokens so far
  std::vector<LSTMState> states = {};  ///< LSTM, per layer
  Tensor fed = {};  ///< h̃ of the step before (zeros at first), with input feeding
  std::vector<KeyValues> past =
      {};  ///< Transformer: keys and values of its self-attention, per layer
};

struct DecoderStep {
  Tensor logits;   ///< (batch, target vocabulary)
  Tensor weights;  ///< (batch, source time)
  DecoderState state;
};

}  // namespace gradus::translate
