#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/core/differential/polynomials.h"

/// Sums and products along axes.
namespace gradus::differential {

namespace {

std::string reduction_code(const char* op, const Axes& axes, bool kept) {
  return fmt::format("{}(a, {}{})", op, code_of(axes), kept ? ", keepdims" : "");
}
/// The axes without which the sum is taken, all where none is named.
Axes every(const Axes& axes, const Shape& shape) {
  Axes result = axes;
  if (axes.empty())
    for (int axis = 0; axis < shape.rank(); ++axis) result.push_back(axis);
  return result;
}
Shape reduced(const Shape& shape, const Axes& axes, bool kept) {
  return Grouped{every(axes, shape), false, kept, nullptr, nullptr}.result_shape(shape);
}

Case draw_sum(Draw& draw) {
  const bool is_mean = draw.one_in(3);
  const Shape shape = draw.shape(0, 6, 20000);
  draw.input(shape);
  const Axes axes = draw.axes(shape);
  const bool kept = draw.one_in(2);
  Polynomial right(reduced(shape, axes, kept));
  for (const auto& group : groups(shape, every(axes, shape))) {
    right.element();
    const Real n = static_cast<Real>(group.size());
    for (int64_t place : group) right.term({{0, place}}, is_mean ? 1 / n : 1);
    if (is_mean && group.empty()) right.term({}, not_a_number);
  }
  return case_of(
      reduction_code(is_mean ? "mean" : "sum", axes, kept),
      [=](Inputs x) { return is_mean ? mean(x[0], axes, kept) : sum(x[0], axes, kept); }, right);
}

Case draw_prod(Draw& draw) {
  const Shape shape = draw.shape(0, 6, 40);
  draw.input(shape);
  const Axes axes = draw.axes(shape);
  const bool kept = draw.one_in(2);
  Polynomial right(reduced(shape, axes, kept));
  for (const auto& group : groups(shape, every(axes, shape))) {
    std::vector<Factor> factors;
    for (int64_t place : group) factors.push_back({0, place});
    right.element();
    right.term(factors);
  }
  return case_of(
      reduction_code("prod", axes, kept), [=](Inputs x) { return prod(x[0], axes, kept); }, right);
}

Case draw_scan(Draw& draw, bool products) {
  const Shape shape = draw.shape(1, 6, products ? 40 : 1200);
  draw.input(shape);
  const int axis = draw.axis(shape);
  const bool reverse = !products && draw.one_in(2);
  Polynomial right(shape);
  for_each_index(shape, [&](const Shape& index, int64_t) {
    right.element();
    std::vector<Factor> factors;
    Shape at = index;
    for (at[axis] = reverse ? index[axis] : 0; at[axis] < (reverse ? shape[axis] : index[axis] + 1);
         ++at[axis]) {
      factors.push_back({0, place_of(at, shape)});
      if (!products) right.term({factors.back()});
    }
    if (products) right.term(factors);
  });
  const int as = spelled(draw, axis, shape.rank());
  if (products) right.shares_factors();
  if (products)
    return case_of(
        fmt::format("cumprod(a, {})", as), [=](Inputs x) { return cumprod(x[0], as); }, right);
  return case_of(
      fmt::format("cumsum(a, {}, {})", as, reverse),
      [=](Inputs x) { return cumsum(x[0], as, reverse); }, right);
}

}  // namespace

TEST_CASE("sums and products over any axes of random tensors are as exact as pairwise ones") {
  check({{"sum and mean", draw_sum},
         {"prod", draw_prod},
         {"cumsum", [](Draw& draw) { return draw_scan(draw, false); }},
         {"cumprod", [](Draw& draw) { return draw_scan(draw, true); }}},
        1'500'000);
}

}  // namespace gradus::differential
