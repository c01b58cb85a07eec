// The kind: a formula's depth becomes the program's: its stack, or a text that doubles with every
// step.

#include <doctest/doctest.h>

#include <ctime>

#include "core/ops/movement.h"
#include "core/ops/pointwise.h"

using namespace gradus;

TEST_CASE("a formula 60,000 deep is written, differentiated and computed") {
  const auto chain = [](int steps) {
    return Pointwise{"deep", [steps](Expr x) {
                       Expr y = x;
                       for (int i = 0; i < steps / 2; ++i) y = -(y + 1e-3);
                       return y;
                     }};
  };
  const Pointwise deep = chain(60'000);
  const std::string text = deep.formula();
  CHECK(text.starts_with("−("));
  CHECK(text.size() > 60'000);
  CHECK(deep(full({1}, 2)).item() == doctest::Approx(2).epsilon(1e-2));
  CHECK(chain(10'000).derivative(0).size() > 5'000);
}

TEST_CASE("a formula of 20,000 parts is written, computed and differentiated in linear time") {
  const std::clock_t begin = std::clock();
  const Pointwise many{"many", [](Expr x) {
                         Expr y = x;
                         for (int i = 0; i < 10'000; ++i) y = y + exp(x * (1e-9 * i));
                         return y;
                       }};
  const Tensor x = full({1}, 2).require_grad();
  const Tensor y = many(x);
  CHECK(y.item() == doctest::Approx(10'002).epsilon(1e-3));
  y.backward();
  CHECK(x.grad().item() == doctest::Approx(1.05).epsilon(1e-3));
  CHECK(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC < 1);  // of processor time
}

TEST_CASE("of a long formula each part that occurs several times is written once") {
  const Pointwise squares{"squares", [](Expr x) {
                            Expr y = x;
                            for (int i = 0; i < 60; ++i) y = y * (1 - y);
                            return y;
                          }};
  const std::string text = squares.formula();
  CHECK(text.size() < 4'000);
  CHECK(text.find(" where t") != text.npos);
  CHECK(squares.derivative(0).size() < 20'000);
}

TEST_CASE("a short formula is written out, with what it repeats") {
  const Pointwise twice{"twice", [](Expr a, Expr b) { return (a + b) * (a + b) - -(a - (b - a)); }};
  CHECK(twice.formula() == "(a + b) · (a + b) − −(a − (b − a))");
}
