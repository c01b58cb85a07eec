#include "core/ops/mask.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/ops/ops.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;
using Values = std::vector<double>;

TEST_CASE("a mask is made by a name that says what a one means") {
  const Tensor ones_and_zeros = tensor({1, 0, 1});
  CHECK(values(Mask::attend(ones_and_zeros).attended()) == Values{1, 0, 1});
  CHECK(values(Mask::ignore(ones_and_zeros).attended()) == Values{0, 1, 0});
  CHECK(values(Mask::attend(tensor({1, 0}, DType::int64)).attended(DType::float64)) ==
        Values{1, 0});
  CHECK(error_of([] {
          Mask::attend(tensor({1, 0.5}));
        }) == "mask: wants ones and zeros, was given 0.5 in (2)");
}

TEST_CASE("a mask of lengths attends to the first positions of each row") {
  const std::vector<int64_t> lengths{2, 0, 3};
  CHECK(values(Mask::lengths(lengths, 3).attended()) == Values{1, 1, 0, 0, 0, 0, 1, 1, 1});
  CHECK(error_of([&] { Mask::lengths(lengths, 2); }) ==
        "mask: length 3 of row 2 is outside [0, 2]");
}

TEST_CASE("a causal mask sees what came before, aligned at the last position") {
  CHECK(values(Mask::causal(3, 3).attended()) == Values{1, 0, 0, 1, 1, 0, 1, 1, 1});
  CHECK(values(Mask::causal(2, 4).attended()) == Values{1, 1, 1, 0, 1, 1, 1, 1});
  CHECK(values(Mask::causal(3, 1).attended()) == Values{0, 0, 1});
}

TEST_CASE("masks combine, broadcasting, and an undefined one masks nothing") {
  const Mask rows = Mask::attend(tensor({{1}, {0}})), columns = Mask::attend(tensor({1, 0, 1}));
  CHECK(values((rows & columns).attended()) == Values{1, 0, 1, 0, 0, 0});
  CHECK(values((rows & Mask()).attended()) == Values{1, 0});
  CHECK(values((Mask() & rows).attended()) == Values{1, 0});
  CHECK(rows.unsqueeze(0).shape() == Shape{1, 2, 1});
  CHECK_FALSE(Mask().unsqueeze(0).defined());
  const Tensor x = tensor({1, 2});
  CHECK(values(masked_fill(x, Mask(), 9)) == Values{1, 2});
}

TEST_CASE("ignored positions are filled and get no gradient, not even a NaN") {
  const Tensor x = tensor({NAN, 2, 3}).require_grad();
  const Tensor y = masked_fill(x, Mask::ignore(tensor({1, 0, 0})), -1);
  CHECK(values(y) == Values{-1, 2, 3});
  sum(y * y).backward();
  CHECK(values(x.grad()) == Values{0, 4, 6});
  CHECK(error_of([&] { masked_fill(x, Mask::causal(2, 2), 0); }) ==
        "masked_fill: shapes (2, 2) and (3) do not broadcast: sizes 2 and 3 differ");
  CHECK(error_of([&] {
          masked_fill(x, Mask::attend(ones({2, 3})), 0);
        }) == "masked_fill: a mask of (2, 3) does not broadcast to (3)");
}

TEST_CASE("a row whose positions are all ignored has weights and gradients of zero") {
  const Tensor x = tensor({{1, 2}, {3, 4}}).require_grad();
  const Tensor y = softmax(x, -1, Mask::attend(tensor({{0, 0}, {1, 0}})));
  CHECK(values(y) == Values{0, 0, 1, 0});
  sum(y * tensor({{1, 2}, {3, 4}})).backward();
  CHECK(values(x.grad()) == Values{0, 0, 0, 0});
}

TEST_CASE("a loss over rows that are all ignored is zero, and so is its gradient") {
  const Tensor logits = tensor({{1, 2}, {3, 4}}).require_grad();
  const Tensor loss = cross_entropy(logits, full({2}, -100, DType::int64));
  CHECK(loss.item() == 0);
  loss.backward();
  CHECK(values(logits.grad()) == Values{0, 0, 0, 0});
}
