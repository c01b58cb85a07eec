#include "examples/live/expression.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/functions/gradient_check.h"
#include "core/ops/movement.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"

using namespace gradus;
using live::Expression;

namespace {

double value_of(const std::string& text, double x = 2) {
  return Expression::parse(text, {"x"})({{"x", tensor(std::vector<double>{x}, {})}}).item();
}

std::string error_of(const std::string& text) {
  try {
    Expression::parse(text, {"x"}).pointwise("f");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("an expression is read as mathematics reads it") {
  CHECK(value_of("1 + 2 * 3") == 7);
  CHECK(value_of("8 - 4 - 2") == 2);
  CHECK(value_of("16 / 4 / 2") == 2);
  CHECK(value_of("-x^2") == -4);
  CHECK(value_of("x^-2") == 0.25);
  CHECK(value_of("x^3^2") == 512);
  CHECK(value_of("--x") == 2);
  CHECK(value_of("(1 + x) * x") == 6);
  CHECK(value_of("max(x, 3) + min(x, 1)") == 4);
  CHECK(value_of("1.5e1 + .5") == 15.5);
  CHECK(value_of("x² · 3 − √x") == doctest::Approx(12 - std::sqrt(2.0)));
  CHECK(value_of("exp(log(x))") == doctest::Approx(2));
}

TEST_CASE("products of matrices, transposes and sums are of tensors") {
  const Tensor a = tensor(std::vector<double>{1, 2, 3, 4}, {2, 2});
  const auto of = [&](const char* text) {
    return Expression::parse(text, {"a"})({{"a", a}}).to_vector<double>();
  };
  CHECK(of("a @ a") == std::vector<double>{7, 10, 15, 22});
  CHECK(of("a'") == std::vector<double>{1, 3, 2, 4});
  CHECK(of("aᵀ @ a") == std::vector<double>{10, 14, 14, 20});
  CHECK(of("sum(a)") == std::vector<double>{10});
  CHECK(of("sum(a, 0)") == std::vector<double>{4, 6});
  CHECK(of("mean(a, -1)") == std::vector<double>{1.5, 3.5});
  CHECK(of("sum(softmax(a), -1)")[0] == doctest::Approx(1));
}

TEST_CASE("an elementwise expression is a function with a derivative") {
  const Pointwise f = Expression::parse("x * sigmoid(x) + 2", {"x"}).pointwise("f");
  CHECK(f.formula() == "x · sigmoid(x) + 2");
  const auto apply = [&](const std::vector<Tensor>& x) { return f(x[0]); };
  const std::vector<Tensor> inputs{irregular({5}, 0.3)};
  CHECK(first_order_mismatch(apply, inputs).tolerances <= 1);
  CHECK(second_order_mismatch(apply, inputs).tolerances <= 1);
}

TEST_CASE("a function in an expression is replaced by another expression") {
  const Expression cell =
      Expression::parse("sigmoid(b) · d + sigmoid(a) · tanh(c)", {"a", "b", "c", "d"});
  CHECK(cell.functions() == std::set<std::string>{"sigmoid", "tanh"});
  const Expression other = cell.with("tanh", Expression::parse("x / (1 + abs(x))", {"x"}));
  CHECK(other.functions() == std::set<std::string>{"sigmoid", "abs"});
  CHECK(other.pointwise("cell").formula() == "sigmoid(b) · d + sigmoid(a) · (c / (1 + |c|))");
}

TEST_CASE("what is no expression is refused in words") {
  CHECK(error_of("x +") == "expected a number, a name or ( at the end");
  CHECK(error_of("(x") == "expected ')' at the end");
  CHECK(error_of("x x") == "expected an operator or the end before 'x'");
  CHECK(error_of("y").starts_with("'y' is unknown here; expected x"));
  CHECK(error_of("max(x)") == "max takes 2 arguments, got 1");
  CHECK(error_of("x $ 2").starts_with("'$': expected a number"));
  CHECK(error_of("x ^ x") == "^: expected a number as the exponent");
  CHECK(error_of("sum(x)").starts_with("sum: expected an elementwise function"));
  CHECK(error_of("3") == "expected a function of x, got a number");
  CHECK(error_of("") == "expected a number, a name or ( at the end");
  CHECK(error_of(std::string(500, '1')).starts_with("expected an expression of at most 400 bytes"));
  const std::string deep = error_of(std::string(150, '('));
  CHECK(deep == "expected at most 100 levels of parentheses");
  CHECK(error_of("x^" + std::string(150, '-') + "1").empty() == false);
}
