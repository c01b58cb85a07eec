#include <doctest/doctest.h>

#include "core/core.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

namespace {
using Values = std::vector<double>;
const Tensor m = tensor({{1, 2, 3}, {4, 5, 6}}), v = tensor({1, 10, 100}),
             square = tensor({{1, 2}, {3, 4}});
}  // namespace

TEST_CASE("einsum computes what its letters say") {
  CHECK(values(einsum("ij,jk->ik", {m, transpose(m)})) == values(matmul(m, transpose(m))));
  CHECK(values(einsum("ij,kj->ik", {m, m})) == values(matmul(m, transpose(m))));
  CHECK(values(einsum("ji", {m})) == values(transpose(m)));
  CHECK(values(einsum("ij->ji", {m})) == values(transpose(m)));
  CHECK(values(einsum("ij->", {m})) == Values{21});
  CHECK(values(einsum("ij->j", {m})) == Values{5, 7, 9});
  CHECK(values(einsum("i,i", {v, v})) == Values{10101});
  CHECK(values(einsum("i,j->ij", {tensor({1, 2}), v})) == Values{1, 10, 100, 2, 20, 200});
  CHECK(values(einsum(" i j , j -> i ", {m, v})) == Values{321, 654});
  CHECK(values(einsum("ij,ij->ij", {m, m})) == values(m * m));
  CHECK(einsum(",->", {tensor({3})[0], tensor({4})[0]}).item() == 12);
}

TEST_CASE("a letter twice in one operand takes its diagonal") {
  CHECK(values(einsum("ii", {square})) == Values{5});
  CHECK(values(einsum("ii->i", {square})) == Values{1, 4});
  const Tensor x = reshape(arange(8), {2, 2, 2});
  CHECK(values(einsum("iji->ij", {x})) == Values{0, 2, 5, 7});
  CHECK(values(einsum("iii", {x})) == Values{7});
  CHECK(values(einsum("ii,jj->", {square, square})) == Values{25});
}

TEST_CASE("letters without an arrow come in alphabetical order") {
  CHECK(values(einsum("ba", {m})) == values(transpose(m)));
  CHECK(values(einsum("bj,ja", {m, transpose(m)})) == values(transpose(matmul(m, transpose(m)))));
}

TEST_CASE("an ellipsis stands for further axes, which broadcast") {
  const Tensor x = reshape(arange(12), {2, 2, 3});
  CHECK(values(einsum("...i,i->...", {x, v})) == values(matmul(x, unsqueeze(v, 1))));
  CHECK(values(einsum("...ij->...ji", {x})) == values(transpose(x)));
  CHECK(values(einsum("i...->...", {x})) == values(sum(x, {0})));
  CHECK(einsum("...,...", {ones({2, 1}), ones({1, 3})}).shape() == Shape{2, 3});
  CHECK(values(einsum("...i,...i->i", {ones({4, 1, 2}), ones({3, 2})})) == Values{12, 12});
  CHECK(einsum("...,...->...", {ones({3}), ones({})}).shape() == Shape{3});
  CHECK(values(einsum("...i->i", {x})) == values(sum(x, {0, 1})));
  CHECK(values(einsum("i->...i", {v})) == values(v));
}

TEST_CASE("three operands and more are multiplied from left to right") {
  CHECK(values(einsum("i,ij,j->", {tensor({1, 2}), m, v})) == Values{321 + 2 * 654});
  CHECK(values(einsum("ab,bc,cd,de->ae", {square, square, square, square})) ==
        values(matmul(matmul(matmul(square, square), square), square)));
  CHECK(values(einsum("i,i,i->i", {v, v, v})) == Values{1, 1000, 1000000});
}

TEST_CASE("einsum of axes of size 0 and 1") {
  CHECK(values(einsum("ij,jk->ik", {zeros({2, 0}), zeros({0, 2})})) == Values{0, 0, 0, 0});
  CHECK(einsum("ij,jk->ik", {zeros({0, 2}), zeros({2, 3})}).shape() == Shape{0, 3});
  CHECK(einsum("ii->i", {zeros({0, 0})}).shape() == Shape{0});
  CHECK(values(einsum("ii->i", {tensor({{7}})})) == Values{7});
}

TEST_CASE("errors of einsum name the letter") {
  const std::vector<std::pair<std::function<void()>, std::string>> cases{
      {[] {
         einsum("ij,jk->ik", {m, m});
       },
       "einsum(\"ij,jk->ik\"): letter 'j' has size 3 and size 2"},
      {[] { einsum("ii", {m}); }, "einsum(\"ii\"): letter 'i' has size 2 and size 3"},
      {[] { einsum("ij->ik", {m}); },
       "einsum(\"ij->ik\"): letter 'k' of the output is in no operand"},
      {[] { einsum("ij->ii", {m}); }, "einsum(\"ij->ii\"): letter 'i' is twice in the output"},
      {[] { einsum("ij,jk", {m}); }, "einsum(\"ij,jk\"): expected 2 operands, got 1"},
      {[] { einsum("ijk", {m}); },
       "einsum(\"ijk\"): expected 3 axes for operand 0 (\"ijk\"), got (2, 3)"},
      {[] { einsum("ijk...", {m}); },
       "einsum(\"ijk...\"): expected at least 3 axes for operand 0 (\"ijk...\"), got (2, 3)"},
      {[] { einsum("i1", {m}); },
       "einsum(\"i1\"): expected letters, one \"...\", ',' and one \"->\", got '1'"},
      {[] {
         einsum("...,...", {m, ones({4})});
       },
       "einsum(\"...,...\"): axes of \"...\" do not broadcast: 3 and 4"},
  };
  for (const auto& [f, message] : cases) CHECK(error_of(f) == message);
}
