#pragma once

#include <string>
#include <vector>

namespace gradus::translate {

/// Sentences as lists of tokens without white space.
using Sentences = std::vector<std::vector<std::string>>;

/// In per cent, from 0 to 100; 0 if there is nothing to count. The functions below return the same.
struct Quality {
  double bleu, chrf, exact_match;
};

/// Corpus BLEU-4 without smoothing: min(1, exp(1 − r/h)) · (p₁p₂p₃p₄)^¼, with h and r the numbers
/// of tokens in hypotheses and references, and pₙ the share of the hypotheses' n-grams that match
/// (Papineni et al. 2002, BLEU: a Method for Automatic Evaluation of Machine Translation,
/// section 2.3).
double bleu(const Sentences& hypotheses, const Sentences& references);

/// chrF2: 5PR / (4P + R), with P and R the corpus' precision and recall of character n-grams,
/// averaged over the n from 1 to 6 that occur on both sides
/// (Popović 2015, chrF: character n-gram F-score for automatic MT evaluation, eq. 1).
double chrf(const Sentences& hypotheses, const Sentences& references);

/// The per cent of hypotheses that equal their reference token by token.
double exact_match(const Sentences& hypotheses, const Sentences& references);

/// All three, with one reference per hypothesis.
/// Throws std::invalid_argument, as the others do, if their numbers differ.
Quality evaluate(const Sentences& hypotheses, const Sentences& references);

}  // namespace gradus::translate
