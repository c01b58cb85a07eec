#pragma once

#include <vector>

#include "core/functions/mask.h"
#include "core/tensor/random.h"
#include "examples/answer/sentences.h"
#include "layers/parameters.h"

namespace gradus::answer {

constexpr int64_t vocabulary = 7;
using Words = std::vector<int64_t>;
using Vector = std::vector<double>;

/// The bags of sentences, by their definition: nothing but a sum over places.
inline Bags bags(const std::vector<Words>& sentences, const std::vector<int64_t>& shape) {
  Bags bags{zeros(Shape(shape)), zeros(Shape(shape))};
  for (size_t i = 0; i < sentences.size(); ++i)
    for (size_t j = 0; j < sentences[i].size(); ++j) {
      const size_t at = i * vocabulary + static_cast<size_t>(sentences[i][j]);
      bags.counts.mutable_span<float>()[at] += 1;
      bags.places.mutable_span<float>()[at] +=
          static_cast<float>(j + 1) / static_cast<float>(sentences[i].size());
    }
  return bags;
}

/// Two stories of three and two sentences, newest first, the last one padded.
struct Example {
  Bags story = bags({{1, 2, 3}, {3, 2, 1}, {4, 4}, {5, 1, 6, 2}, {0}, {}}, {2, 3, vocabulary});
  Bags question = bags({{6, 1}, {2, 5, 0}}, {2, vocabulary});
  Mask mask = Mask::lengths(std::vector<int64_t>{3, 2}, 3);
};

/// Its parameters drawn anew, large enough to matter.
template <class Network>
Network redrawn(Network network) {
  Generator generator(3);
  for_each_parameter(network, [&](const std::string&, Tensor& x) {
    x = random_normal(x.shape(), 0, 0.7, generator).require_grad();
  });
  return network;
}

inline double at(const Tensor& x, size_t row, size_t column) {
  return x.span<float>()[row * static_cast<size_t>(x.size(1)) + column];
}

/// e(A, x), word by word and number by number.
inline Vector encoded(const Words& words, const Tensor& A, bool position = true) {
  const auto d = static_cast<size_t>(A.size(0));
  Vector sum(d);
  for (size_t j = 1; j <= words.size(); ++j)
    for (size_t k = 1; k <= d; ++k) {
      const double J = double(words.size());
      const double l = (1 - double(j) / J) - double(k) / double(d) * (1 - 2 * double(j) / J);
      sum[k - 1] += (position ? l : 1) * at(A, k - 1, static_cast<size_t>(words[j - 1]));
    }
  return sum;
}

}  // namespace gradus::answer
