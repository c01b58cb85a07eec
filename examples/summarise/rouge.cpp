#include "examples/summarise/rouge.h"

#include <algorithm>
#include <map>

#include "examples/training/text.h"

namespace gradus::summarise {

namespace {

std::map<Words, int64_t> ngrams(const Words& words, size_t n) {
  std::map<Words, int64_t> counts;
  for (size_t i = 0; i + n <= words.size(); ++i)
    ++counts[Words(words.begin() + std::ptrdiff_t(i), words.begin() + std::ptrdiff_t(i + n))];
  return counts;
}

double f1(int64_t common, int64_t of_reference, int64_t of_candidate) {
  return common == 0 ? 0 : 2 * double(common) / double(of_reference + of_candidate);
}

int64_t places(const Words& words, size_t n) {
  return words.size() < n ? 0 : std::ssize(words) - static_cast<int64_t>(n) + 1;
}

}  // namespace

Words rouge_words(const std::string& text) {
  using namespace training;
  if (unit_of({text}) == Unit::characters) return tokens(text, Unit::characters);
  Words words(1);
  for (const char c : text)
    if (const auto low = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        (low >= 'a' && low <= 'z') || (low >= '0' && low <= '9'))
      words.back() += low;
    else if (!words.back().empty())
      words.emplace_back();
  if (words.back().empty()) words.pop_back();
  return words;
}

double rouge_n(const Words& reference, const Words& candidate, size_t n) {
  const auto theirs = ngrams(candidate, n);
  int64_t common = 0;
  for (const auto& [ngram, count] : ngrams(reference, n))
    if (const auto found = theirs.find(ngram); found != theirs.end())
      common += std::min(count, found->second);
  return f1(common, places(reference, n), places(candidate, n));
}

double rouge_l(const Words& reference, const Words& candidate) {
  return f1(longest_common_subsequence(reference, candidate), std::ssize(reference),
            std::ssize(candidate));
}

int64_t longest_common_subsequence(const Words& a, const Words& b) {
  std::vector<int64_t> above(b.size() + 1), row = above;
  for (const std::string& word : a) {
    for (size_t j = 0; j < b.size(); ++j)
      row[j + 1] = word == b[j] ? above[j] + 1 : std::max(above[j + 1], row[j]);
    std::swap(above, row);
  }
  return above.back();
}

Repeated repeated(const Words& words, size_t n) {
  const int64_t all = places(words, n);
  return {all - std::ssize(ngrams(words, n)), all};
}

}  // namespace gradus::summarise
