#pragma once

#include <optional>
#include <span>
#include <vector>

#include "examples/translate/model.h"

namespace gradus::translate {

/// Wu et al. 2016 give 0.2 to both penalties of their equation 14.
inline constexpr double penalty_of_gnmt = 0.2;

struct DecodeOptions {
  int64_t beam = 1;  ///< hypotheses per sentence; 1 is greedy decoding
  /// α of Wu et al. 2016, equation 14: log p / ((5 + length) / 6)^α. Without a value that of the
  /// (first) model: penalty_of_gnmt for GNMT, 0 for others.
  std::optional<double> length_penalty = {};
  std::optional<double> coverage_penalty = {};  ///< β of the same: + β · Σₛ log min(Σₜ aₜₛ, 1)
  double word_penalty = 0;                      ///< is added to log p for each target token
  int64_t no_repeat = 0;   ///< no n-gram of so many tokens comes twice; 0: any may
  int64_t longest = 60;    ///< maximum number of target tokens
  bool attention = false;  ///< keep the attention weights
  bool unknown = false;    ///< <unk> may be chosen
};

struct Hypothesis {
  std::vector<int64_t> ids;                    ///< without <eos>
  double score = 0;                            ///< log p under the penalties
  std::vector<std::vector<double>> attention;  ///< per id, and for <eos>: a weight per source token
};

/// log of the mean of p, given log p of several models.
Tensor mean_of(const std::vector<Tensor>& log_p);

/// Translates a batch of sentences; for each its `beam` best hypotheses, best first. A sentence
/// without tokens has one hypothesis without tokens. <pad> and <bos> are never chosen; <eos> always
/// can be, so that a sentence ends where every other token would repeat an n-gram.
/// Throws Error for a beam or a length below 1.
std::vector<std::vector<Hypothesis>> decode(const Translator& model,
                                            const std::vector<std::vector<int64_t>>& sentences,
                                            const DecodeOptions& options = {});

/// The same with an ensemble of models of one vocabulary: p of a token, and the attention to a
/// word, is the mean over the models.
std::vector<std::vector<Hypothesis>> decode(std::span<const Translator* const> models,
                                            const std::vector<std::vector<int64_t>>& sentences,
                                            const DecodeOptions& options = {});

}  // namespace gradus::translate
