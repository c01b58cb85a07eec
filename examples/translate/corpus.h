#pragma once

#include <string>
#include <vector>

#include "examples/translate/pairs.h"

namespace gradus::translate {

/// Sentence pairs for training, for validation (early stopping), and for testing.
struct Corpus {
  std::vector<Pair> train, valid, test;
};

/// The corpus that comes with the program: about 8,500 English-Chinese pairs made by a small
/// synchronous grammar, the same on every machine.
///
/// No sentence of either language occurs twice, neither in one part nor in two. The parts differ in
/// combinations: every pattern of the grammar names two of its slots, and a pair of words that
/// fills these two slots in `valid` or `test` never fills them together in another part. Each word
/// by itself is frequent in `train`, so `test` measures whether a model composes.
Corpus embedded_corpus();

/// A sentence pair, the English side of the pattern that made it, and the two words that filled
/// the pattern's held-out slots.
struct Derivation {
  Pair pair;
  std::string pattern, combination;
};

/// `embedded_corpus` with the derivations of its pairs, in the same order.
struct DerivedCorpus {
  std::vector<Derivation> train, valid, test;
};
DerivedCorpus derive_corpus();

}  // namespace gradus::translate
