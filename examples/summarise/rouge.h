#pragma once

#include <string>
#include <vector>

namespace gradus::summarise {

using Words = std::vector<std::string>;

/// The words that ROUGE compares, those of Google's package rouge-score without stemming: runs of
/// ASCII letters and digits, in lower case. Of a text in a script without spaces, its characters.
Words rouge_words(const std::string& text);

/// ROUGE-N (Lin 2004): F1 of the n-grams that two texts share, each as often as both have it.
double rouge_n(const Words& reference, const Words& candidate, size_t n);
/// ROUGE-L (Lin 2004): F1 of the longest common subsequence.
double rouge_l(const Words& reference, const Words& candidate);

/// The length of the longest common subsequence.
int64_t longest_common_subsequence(const Words& a, const Words& b);

/// How many n-grams of a text have occurred in it before, and how many there are.
struct Repeated {
  int64_t again = 0, all = 0;
};
Repeated repeated(const Words& words, size_t n);

}  // namespace gradus::summarise
