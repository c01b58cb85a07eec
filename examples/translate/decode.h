#pragma once

#include <vector>

#include "examples/translate/model.h"

namespace gradus::translate {

struct DecodeOptions {
  int64_t beam = 1;             ///< hypotheses per sentence; 1 is greedy decoding
  double length_penalty = 0;    ///< α of Wu et al. 2016, eq. 14: log p / ((5 + length) / 6)^α
  double coverage_penalty = 0;  ///< β of the same: + β · Σₛ log min(Σₜ aₜₛ, 1)
  int64_t longest = 60;         ///< maximum number of target tokens
  bool attention = false;       ///< keep the attention weights
};

struct Hypothesis {
  std::vector<int64_t> ids;                    ///< without <eos>
  double score = 0;                            ///< log p under both penalties
  std::vector<std::vector<double>> attention;  ///< per id, and for <eos>: a weight per source token
};

/// Translates a batch of sentences; for each its `beam` best hypotheses, best first. A sentence
/// without tokens has one hypothesis without tokens. <pad>, <bos> and <unk> are never chosen.
/// Throws Error for a beam or a length below 1.
std::vector<std::vector<Hypothesis>> decode(const Translator& model,
                                            const std::vector<std::vector<int64_t>>& sentences,
                                            const DecodeOptions& options = {});

}  // namespace gradus::translate
