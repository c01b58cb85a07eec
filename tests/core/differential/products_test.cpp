#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/core/differential/polynomials.h"

/// Products of matrices.
namespace gradus::differential {

namespace {

Case draw_matmul(Draw& draw) {
  const int64_t m = draw.size(40), k = draw.size(300), n = draw.size(40);
  const Shape batches = draw.shape(0, 3, 12);
  Shape a = draw.broadcasting(batches), b = draw.broadcasting(batches);
  const Shape batch_a = a, batch_b = b;
  Shape to = broadcast("matmul", a, b);
  const Shape batch = to;
  a.append(m), a.append(k), b.append(k), b.append(n), to.append(m), to.append(n);
  draw.input(a);
  draw.input(b, true, true);
  Polynomial right(to);
  right.one_after_the_other();
  for_each_index(batch, [&](const Shape& index, int64_t) {
    const int64_t pa = broadcast_place(index, batch_a) * m * k,
                  pb = broadcast_place(index, batch_b) * k * n;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        right.element();
        for (int64_t l = 0; l < k; ++l) right.term({{0, pa + i * k + l}, {1, pb + l * n + j}});
      }
  });
  return case_of(
      "matmul(a, b)", [](Inputs x) { return matmul(x[0], x[1]); }, right);
}

Case draw_linear(Draw& draw) {
  const int64_t in = draw.size(300), out = draw.size(60);
  const Shape rows = draw.shape(0, 4, 40);
  Shape x = rows, to = rows;
  x.append(in), to.append(out);
  draw.input(x);
  draw.input({out, in}, true, true);
  const bool has_bias = draw.one_in(2);
  const Shape bias = draw.one_in(2) ? Shape{out} : draw.broadcasting(to);
  if (has_bias) draw.input(bias);
  Polynomial right(to);
  right.one_after_the_other();
  for_each_index(to, [&](const Shape& index, int64_t place) {
    right.element();
    for (int64_t k = 0; k < in; ++k)
      right.term({{0, place / out * in + k}, {1, index.back() * in + k}});
    if (has_bias) right.term({{2, broadcast_place(index, bias)}});
  });
  return case_of(
      has_bias ? "linear(a, b, c)" : "linear(a, b)",
      [](Inputs x) { return x.size() > 2 ? linear(x[0], x[1], x[2]) : linear(x[0], x[1]); }, right);
}

Case draw_einsum(Draw& draw) {
  // Letters a … e with a size each; up to three operands of up to three letters.
  // Sums of parts of a product may overflow, and meet a factor of 0.
  draw.values = std::min(draw.values, Values::ordinary);
  static constexpr int letters = 5;
  int64_t sizes[letters];
  for (int64_t& size : sizes) size = draw.size(6);
  const auto count = static_cast<size_t>(draw.between(1, 3));
  std::vector<std::vector<int>> operands(count);
  std::string equation;
  std::vector<int> known;
  for (auto& operand : operands) {
    const auto rank = draw.between(0, 3);
    if (&operand != operands.data()) equation += ",";
    Shape shape;
    for (int64_t k = 0; k < rank; ++k) {
      const auto l = static_cast<int>(draw.between(0, letters - 1));
      operand.push_back(l);
      shape.append(sizes[l]);
      equation += static_cast<char>('a' + l);
      if (std::find(known.begin(), known.end(), l) == known.end()) known.push_back(l);
    }
    draw.input(shape);
  }
  std::vector<int> output;
  for (int l : known)
    if (draw.one_in(2))
      output.insert(output.begin() + (output.empty() ? 0 : draw.between(0, 1)), l);
  equation += "->";
  Shape to, all;
  for (int l : output) {
    equation += static_cast<char>('a' + l);
    to.append(sizes[l]);
  }
  std::vector<int> summed;
  for (int l : known)
    if (std::find(output.begin(), output.end(), l) == output.end())
      summed.push_back(l), all.append(sizes[l]);
  Polynomial right(to);
  right.one_after_the_other();
  for_each_index(to, [&](const Shape& index, int64_t) {
    right.element();
    for_each_index(all, [&](const Shape& inner, int64_t) {
      int64_t at[letters] = {};
      for (size_t k = 0; k < output.size(); ++k) at[output[k]] = index[static_cast<int>(k)];
      for (size_t k = 0; k < summed.size(); ++k) at[summed[k]] = inner[static_cast<int>(k)];
      std::vector<Factor> factors;
      for (size_t i = 0; i < count; ++i) {
        int64_t place = 0;
        for (int l : operands[i]) place = place * sizes[l] + at[l];
        factors.push_back({i, place});
      }
      right.term(factors);
    });
  });
  return case_of(
      fmt::format("einsum(\"{}\", {{{}}})", equation,
                  std::string("a, b, c").substr(0, 3 * count - 2)),
      [=](Inputs x) { return einsum(equation, x); }, right);
}

}  // namespace

TEST_CASE("products of random matrices, their batches and their transposes are within their ulps") {
  check({{"matmul", draw_matmul}, {"linear", draw_linear}, {"einsum", draw_einsum}}, 1'000'000);
}

}  // namespace gradus::differential
