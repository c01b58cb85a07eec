#pragma once

#include <optional>

#include "examples/summarise/articles.h"
#include "layers/attention/attention.h"
#include "layers/attention/copy.h"
#include "layers/attention/coverage.h"
#include "layers/embedding.h"
#include "layers/recurrent/lstm.h"

namespace gradus::summarise {

struct PointerOptions {
  int64_t embedding = 64;
  int64_t hidden = 128;  ///< of the decoder; half of it in each direction of the encoder
  double dropout = 0;    ///< of embeddings, and of what the words are chosen from
  bool copy = true, coverage = true;
};

/// The loss of a batch, summed over its words, by the parts that add up to it.
struct Losses {
  Tensor words, coverage;  ///< coverage is undefined without
};

/// A summary while it is written, and what is known of each of its words.
struct Summary {
  std::vector<int64_t> ids;                 ///< in the extended vocabulary, without <eos>
  std::vector<std::vector<double>> looked;  ///< for each: a, or (1 − g) · a with copying
};

/// The pointer-generator network with coverage (See, Liu, Manning 2017, arXiv 1704.04368):
///
///     hᵢ = BiLSTM(x)ᵢ     sₜ = LSTM(yₜ₋₁, sₜ₋₁)     s₀ = the last states of both directions
///     aₜ = softmax(vᵀ tanh(W_h hᵢ + W_s sₜ + u Σ_{t' < t} aₜ'ᵢ))     cₜ = Σᵢ aₜᵢ hᵢ
///     p(yₜ) = g · softmax(V′ tanh(V [cₜ; sₜ])) + (1 − g) · Σ_{i: xᵢ = yₜ} aₜᵢ
///     g = sigmoid(w · [cₜ; sₜ; yₜ₋₁] + b)
///
/// Without `copy` g is 1, without `coverage` u is 0. Words that are not in the vocabulary are read
/// as <unk>. Throws Error for an odd hidden size.
struct PointerGenerator {
  PointerGenerator(int64_t vocabulary, const PointerOptions& options, Generator& generator);

  Losses losses(const Batch& batch, Generator* generator = nullptr) const;

  /// Takes the most probable word at each step, until <eos> or `longest`; never <unk> with copying.
  std::vector<Summary> write(const Batch& batch, int64_t longest) const;

  PointerOptions options;
  Embedding embedding;
  LSTM encoder;
  LSTMCell decoder;
  Attention attention;
  std::optional<Coverage> coverage;
  Dense combine, output;  ///< V, V′
  std::optional<Copy> copy;

  void parameters(auto&& visit) {
    visit("embedding", embedding);
    visit("encoder", encoder);
    visit("decoder", decoder);
    visit("attention", attention);
    visit("coverage", coverage);
    visit("combine", combine);
    visit("output", output);
    visit("copy", copy);
  }

 private:
  struct Memory {
    KeyValues prepared;
    Mask mask;
    LSTMState state;
    Tensor covered;  ///< (batch, source)
  };
  Tensor embed(const Tensor& ids) const;
  Memory encode(const Batch& batch, Generator* generator) const;
  /// Of decoder states (batch, steps, hidden), one after the other where coverage counts them.
  AttentionOutput attend(const Tensor& states, Memory& memory) const;
  CopyInput choices(const Tensor& embedded, const Tensor& states, const AttentionOutput& attended,
                    Generator* generator) const;
};

}  // namespace gradus::summarise
