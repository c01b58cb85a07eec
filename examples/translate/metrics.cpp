#include "examples/translate/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string_view>
#include <unordered_map>

#include "examples/training/text.h"

namespace gradus::translate {

using namespace training;

namespace {

/// Numbers of n-grams: in the hypothesis, in the reference, and in both.
struct Counts {
  double hypothesis = 0, reference = 0, matched = 0;

  void operator+=(const Counts& more) {
    hypothesis += more.hypothesis;
    reference += more.reference;
    matched += more.matched;
  }
};

Counts count(std::u32string_view hypothesis, std::u32string_view reference, std::size_t n) {
  std::unordered_map<std::u32string_view, int> unmatched;
  Counts counts;
  for (std::size_t i = 0; i + n <= reference.size(); ++i, ++counts.reference)
    ++unmatched[reference.substr(i, n)];
  for (std::size_t i = 0; i + n <= hypothesis.size(); ++i, ++counts.hypothesis) {
    const auto found = unmatched.find(hypothesis.substr(i, n));
    if (found != unmatched.end() && found->second-- > 0) ++counts.matched;
  }
  return counts;
}

void require_same_size(const Sentences& hypotheses, const Sentences& references) {
  if (hypotheses.size() != references.size())
    throw std::invalid_argument(
        fmt::format("evaluate: {} hypotheses for {} references; give one reference per hypothesis",
                    hypotheses.size(), references.size()));
}

}  // namespace

double bleu(const Sentences& hypotheses, const Sentences& references) {
  require_same_size(hypotheses, references);
  std::unordered_map<std::string_view, char32_t> numbers;
  const auto numbered = [&](const std::vector<std::string>& tokens) {
    std::u32string sentence;
    for (const auto& token : tokens)
      sentence += numbers.emplace(token, static_cast<char32_t>(numbers.size())).first->second;
    return sentence;
  };

  constexpr std::size_t orders = 4;
  Counts totals[orders];
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    const auto hypothesis = numbered(hypotheses[i]), reference = numbered(references[i]);
    for (std::size_t n = 1; n <= orders; ++n) totals[n - 1] += count(hypothesis, reference, n);
  }

  double log_precision = 0;
  for (const auto& total : totals) {
    if (total.matched == 0) return 0;
    log_precision += std::log(total.matched / total.hypothesis) / orders;
  }
  return 100 *
         std::exp(log_precision + std::min(0.0, 1 - totals[0].reference / totals[0].hypothesis));
}

double chrf(const Sentences& hypotheses, const Sentences& references) {
  require_same_size(hypotheses, references);
  const auto characters = [](const std::vector<std::string>& tokens) {
    std::u32string sentence;
    for (const auto& token : tokens) sentence += code_points(token);
    return sentence;
  };

  constexpr std::size_t orders = 6;
  Counts totals[orders];
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    const auto hypothesis = characters(hypotheses[i]), reference = characters(references[i]);
    // A reference of fewer than n characters says nothing about n-grams.
    for (std::size_t n = 1; n <= std::min(orders, reference.size()); ++n)
      totals[n - 1] += count(hypothesis, reference, n);
  }

  double precision = 0, recall = 0, effective = 0;
  for (const auto& total : totals) {
    if (total.hypothesis == 0 || total.reference == 0) continue;
    precision += total.matched / total.hypothesis;
    recall += total.matched / total.reference;
    ++effective;
  }
  if (precision == 0) return 0;
  precision /= effective;
  recall /= effective;
  return 100 * 5 * precision * recall / (4 * precision + recall);
}

double exact_match(const Sentences& hypotheses, const Sentences& references) {
  require_same_size(hypotheses, references);
  double equal = 0;
  for (std::size_t i = 0; i < hypotheses.size(); ++i) equal += hypotheses[i] == references[i];
  return hypotheses.empty() ? 0 : 100 * equal / static_cast<double>(hypotheses.size());
}

Quality evaluate(const Sentences& hypotheses, const Sentences& references) {
  return {bleu(hypotheses, references), chrf(hypotheses, references),
          exact_match(hypotheses, references)};
}

}  // namespace gradus::translate
