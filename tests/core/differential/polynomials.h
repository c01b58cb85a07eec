#pragma once

#include <vector>

#include "tests/core/differential/differential.h"

/// For ops whose elements are sums of products of their inputs' elements.
namespace gradus::differential {

using Inputs = const std::vector<Tensor>&;
using Factor = Polynomial::Factor;

/// A polynomial whose element at an index of `shape` is one element of an input.
template <class From>
Polynomial picked(const Shape& shape, const From& from) {
  Polynomial result(shape);
  for_each_index(shape, [&](const Shape& index, int64_t place) {
    result.element();
    if (const Factor f = from(index, place); f.place >= 0) result.term({f});
  });
  return result;
}

inline std::vector<int64_t> numbers(Draw& draw, int64_t count, int64_t below) {
  std::vector<int64_t> ids(static_cast<size_t>(count));
  for (int64_t& id : ids) id = draw.between(0, below - 1);
  return ids;
}

/// Negative, or from the front.
inline int spelled(Draw& draw, int axis, int rank) { return draw.one_in(3) ? axis - rank : axis; }

}  // namespace gradus::differential
