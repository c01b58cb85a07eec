#include "core/functions/mask.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/core.h"
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
        }) == "mask: expected ones and zeros, got 0.5 in (2)");
}

TEST_CASE("a mask of lengths attends to the first positions of each row") {
  const std::vector<int64_t> lengths{2, 0, 3};
  CHECK(values(Mask::lengths(lengths, 3).attended()) == Values{1, 1, 0, 0, 0, 0, 1, 1, 1});
  CHECK(error_of([&] { Mask::lengths(lengths, 2); }) ==
        "mask: expected lengths in [0, 2], got 3 of row 2");
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
        "masked_fill: expected a mask that broadcasts to (3), got one of (2, 2)");
  CHECK(error_of([&] {
          masked_fill(x, Mask::attend(ones({2, 3})), 0);
        }) == "masked_fill: expected a mask that broadcasts to (3), got one of (2, 3)");
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

TEST_CASE("a mask of lengths remembers them, in its first positions and in some of its rows") {
  const Mask mask = Mask::lengths(std::vector<int64_t>{2, 0, 3}, 5);
  using Lengths = std::vector<int64_t>;
  auto lengths = [](const Mask& m) { return Lengths(m.lengths().begin(), m.lengths().end()); };
  CHECK(mask.axes() == Mask::batch_time);
  CHECK(lengths(mask) == Lengths{2, 0, 3});
  CHECK(mask.last() == 3);
  CHECK(lengths(mask.first(1)) == Lengths{1, 0, 1});
  CHECK(values(mask.first(1).attended()) == Values{1, 0, 1});
  const Mask rows = mask.rows(tensor({2, 2, 1}, DType::int64));
  CHECK(lengths(rows) == Lengths{3, 3, 0});
  CHECK(values(rows.attended()) == Values{1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0});
  CHECK(Mask::attend(mask.attended()).lengths().empty());
  CHECK_FALSE(Mask().first(1).defined());
  CHECK_FALSE(Mask().rows(tensor({0}, DType::int64)).defined());
}

TEST_CASE("a mask knows its last position that takes part, whatever it was made of") {
  CHECK(Mask::attend(tensor({{0, 1, 0, 0}, {1, 0, 0, 0}})).last() == 2);
  CHECK(Mask::attend(tensor({{{0, 0, 1}}, {{0, 0, 0}}})).last() == 3);
  CHECK(Mask::ignore(ones({2, 3})).last() == 0);
  CHECK(Mask::attend(tensor({1, 0})).last() == 1);
  CHECK(Mask::attend(ones({0, 3})).last() == 0);
  CHECK(Mask::lengths({}, 3).last() == 0);
  CHECK(Mask::causal(2, 5).first(3).last() == 3);
}

TEST_CASE("masks of (batch, time) and of (queries, keys) combine to one of all three axes") {
  const Mask padding = Mask::lengths(std::vector<int64_t>{2, 1}, 2), causal = Mask::causal(2, 2);
  CHECK(causal.axes() == Mask::queries_keys);
  const Values expected{1, 0, 1, 1, 1, 0, 1, 0};
  for (const Mask& mask : {padding & causal, causal & padding, padding & causal.unsqueeze(0)}) {
    CHECK(mask.shape() == Shape{2, 2, 2});
    CHECK(mask.axes() == Mask::elements);
    CHECK(values(mask.attended()) == expected);
  }
  CHECK((padding & padding).axes() == Mask::batch_time);
  CHECK((causal & Mask::attend(ones({2, 2}))).axes() == Mask::queries_keys);
}

TEST_CASE("a mask of (batch, time) is not stretched over other axes by broadcasting") {
  const Mask mask = Mask::lengths(std::vector<int64_t>{1, 2}, 2);
  CHECK(values(masked_fill(ones({2, 2}), mask, 0)) == Values{1, 0, 1, 1});
  CHECK(values(masked_fill(ones({2, 2, 1}), mask.unsqueeze(-1), 0)) == Values{1, 0, 1, 1});
  const std::string expected =
      ": expected a mask that broadcasts to (2, 2, 2), got one of (batch, time) (2, 2); say which "
      "axis is time: mask.unsqueeze(-1) for (batch, time, size), mask.unsqueeze(1) for (batch, "
      "queries, time)";
  CHECK(error_of([&] { masked_fill(ones({2, 2, 2}), mask, 0); }) == "masked_fill" + expected);
  CHECK(error_of([&] { softmax(ones({2, 2, 2}), -1, mask); }) == "softmax" + expected);
  CHECK(error_of([] {
          Mask::attend(ones({2, 2, 2}), Mask::batch_time);
        }) == "mask: expected two axes, (batch, time), got (2, 2, 2)");
}
