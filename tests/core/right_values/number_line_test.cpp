/// The ends of the number line: functions and their derivatives at 0, ±1, ±∞, NaN, kinks, ties and
/// subnormal numbers have their mathematical values, or the convention that a row below states.

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "core/core.h"
#include "core/tensor/random.h"
#include "layers/parameters.h"
#include "layers/recurrent/gru.h"
#include "layers/recurrent/lstm.h"
#include "layers/recurrent/rnn.h"
#include "optim/clip.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
const double not_a_number = std::nan("");
using Orders = std::array<double, 4>;  // the value and three derivatives

bool is_nan(double x) { return std::isnan(x); }
using Values = std::vector<double>;

struct Function {
  const char* name;
  Tensor (*function)(const Tensor&);
  Orders (*expected)(double);
};

Orders of_erf(double x) {
  if (std::isinf(x)) return {std::erf(x), 0, 0, 0};
  const double d = 2 / std::sqrt(std::numbers::pi) * std::exp(-x * x);
  return {std::erf(x), d, -2 * x * d, (4 * x * x - 2) * d};
}
Orders of_tanh(double x) {
  const double y = std::tanh(x), d = 1 - y * y;
  return {y, d, -2 * y * d, d * (6 * y * y - 2)};
}
Orders of_sigmoid(double x) {
  const double y = x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
  const double d = y * (1 - y);
  return {y, d, d * (1 - 2 * y), d * (1 - 6 * d)};
}
Orders of_softplus(double x) {
  const Orders s = of_sigmoid(x);
  return {std::fmax(x, 0) + std::log1p(std::exp(-std::abs(x))), s[0], s[1], s[2]};
}
/// x^n for n = 0, 1, 2, …: no derivative at 0 is NaN.
template <int n>
Orders of_power(double x) {
  auto term = [&](int k) {
    double factor = 1;
    for (int i = 0; i < k; ++i) factor *= n - i;
    return k > n ? 0 : factor * std::pow(x, n - k);
  };
  return {term(0), term(1), term(2), term(3)};
}
Orders of_root(double x) {
  if (x < 0) return {not_a_number, not_a_number, not_a_number, not_a_number};
  return {std::sqrt(x), 0.5 / std::sqrt(x), -0.25 * std::pow(x, -1.5), 0.375 * std::pow(x, -2.5)};
}
Orders of_atan(double x) {
  if (std::isinf(x)) return {std::atan(x), 0, 0, 0};
  const double d = 1 / (1 + x * x);
  return {std::atan(x), d, -2 * x * d * d, (6 * x * x - 2) * d * d * d};
}
Orders of_asinh(double x) {
  if (std::isinf(x)) return {x, 0, 0, 0};
  const double d = 1 / std::sqrt(1 + x * x), c = d * d * d;
  return {std::asinh(x), d, -x * c, (2 * x * x - 1) * c * d * d};
}
Orders of_tan(double x) {
  const double y = std::tan(x), d = 1 + y * y;
  return {y, d, 2 * y * d, d * (2 + 6 * y * y)};
}

/// The convention at a kink is the mean of both sides' derivatives for abs, and the left one's for
/// relu, as in PyTorch. Steps have the derivative 0 also where they jump. What is NaN at NaN is the
/// value and the derivatives that depend on x; those that are constant on both sides stay.
const Function functions[] = {
    {"exp", [](const Tensor& x) { return exp(x); },
     [](double x) {
       const double y = std::exp(x);
       return Orders{y, y, y, y};
     }},
    {"expm1", [](const Tensor& x) { return expm1(x); },
     [](double x) {
       const double y = std::exp(x);
       return Orders{std::expm1(x), y, y, y};
     }},
    {"log", [](const Tensor& x) { return log(x); },
     [](double x) {
       return Orders{std::log(x), 1 / x, -1 / x / x, 2 / x / x / x};
     }},
    {"log1p", [](const Tensor& x) { return log1p(x); },
     [](double x) {
       const double z = 1 + x;
       return Orders{std::log1p(x), 1 / z, -1 / z / z, 2 / z / z / z};
     }},
    {"tanh", [](const Tensor& x) { return tanh(x); }, of_tanh},
    {"sigmoid", [](const Tensor& x) { return sigmoid(x); }, of_sigmoid},
    {"softplus", [](const Tensor& x) { return softplus(x); }, of_softplus},
    {"erf", [](const Tensor& x) { return erf(x); }, of_erf},
    {"sqrt", [](const Tensor& x) { return sqrt(x); }, of_root},
    {"sin", [](const Tensor& x) { return sin(x); },
     [](double x) {
       return Orders{std::sin(x), std::cos(x), -std::sin(x), -std::cos(x)};
     }},
    {"cos", [](const Tensor& x) { return cos(x); },
     [](double x) {
       return Orders{std::cos(x), -std::sin(x), -std::cos(x), std::sin(x)};
     }},
    {"tan", [](const Tensor& x) { return tan(x); }, of_tan},
    {"atan", [](const Tensor& x) { return atan(x); }, of_atan},
    {"sinh", [](const Tensor& x) { return sinh(x); },
     [](double x) {
       return Orders{std::sinh(x), std::cosh(x), std::sinh(x), std::cosh(x)};
     }},
    {"cosh", [](const Tensor& x) { return cosh(x); },
     [](double x) {
       return Orders{std::cosh(x), std::sinh(x), std::cosh(x), std::sinh(x)};
     }},
    {"asinh", [](const Tensor& x) { return asinh(x); }, of_asinh},
    {"abs", [](const Tensor& x) { return abs(x); },
     [](double x) {
       return Orders{std::abs(x), is_nan(x) ? x : double((x > 0) - (x < 0)), 0, 0};
     }},
    {"relu", [](const Tensor& x) { return relu(x); },
     [](double x) {
       return Orders{is_nan(x) ? x : std::fmax(x, 0), x <= 0 ? 0. : 1., 0, 0};
     }},
    {"x⁰", [](const Tensor& x) { return pow(x, 0); }, of_power<0>},
    {"x¹", [](const Tensor& x) { return pow(x, 1); }, of_power<1>},
    {"x²", [](const Tensor& x) { return pow(x, 2); }, of_power<2>},
    {"x³", [](const Tensor& x) { return pow(x, 3); }, of_power<3>},
    {"x⁴", [](const Tensor& x) { return pow(x, 4); }, of_power<4>},
    {"x^½", [](const Tensor& x) { return pow(x, 0.5); },
     [](double x) {
       return Orders{std::pow(x, 0.5), 0.5 * std::pow(x, -0.5), -0.25 * std::pow(x, -1.5),
                     0.375 * std::pow(x, -2.5)};
     }},
    {"x⁻¹", [](const Tensor& x) { return pow(x, -1); },
     [](double x) {
       return Orders{1 / x, -1 / x / x, 2 / x / x / x, -6 / x / x / x / x};
     }},
    {"1 / x", [](const Tensor& x) { return 1 / x; },
     [](double x) {
       return Orders{1 / x, -1 / x / x, 2 / x / x / x, -6 / x / x / x / x};
     }},
    {"floor", [](const Tensor& x) { return floor(x); },
     [](double x) {
       return Orders{std::floor(x), 0, 0, 0};
     }},
    {"ceil", [](const Tensor& x) { return ceil(x); },
     [](double x) {
       return Orders{std::ceil(x), 0, 0, 0};
     }},
    {"round", [](const Tensor& x) { return round(x); },
     [](double x) {
       return Orders{std::nearbyint(x), 0, 0, 0};
     }},
    {"sign", [](const Tensor& x) { return sign(x); },
     [](double x) {
       return Orders{is_nan(x) ? x : double((x > 0) - (x < 0)), 0, 0, 0};
     }},
    {"x · [x > 0]", [](const Tensor& x) { return x * greater(x, 0); },
     [](double x) {
       if (x == -infinity || is_nan(x)) return Orders{not_a_number, x > 0 ? 1. : 0., 0, 0};
       return Orders{x > 0 ? x : 0, x > 0 ? 1. : 0., 0, 0};
     }},
    {"max(x, 0)", [](const Tensor& x) { return maximum(x, 0); },
     [](double x) {
       return Orders{is_nan(x) ? x : std::fmax(x, 0), x < 0 ? 0 : x == 0 ? 0.5 : 1, 0, 0};
     }},
    {"clamp(x, −1, 1)", [](const Tensor& x) { return clamp(x, -1, 1); },
     [](double x) {
       return Orders{is_nan(x) ? x : std::fmin(std::fmax(x, -1), 1), std::abs(x) > 1 ? 0. : 1., 0,
                     0};
     }},
};

Orders of_acosh(double x) {
  if (std::isinf(x)) return {x, 0, 0, 0};
  const double d = 1 / std::sqrt(x * x - 1), c = d * d * d;
  return {std::acosh(x), d, -x * c, (2 * x * x + 1) * c * d * d};
}

/// Within their domains.
const Function inverses[] = {
    {"asin", [](const Tensor& x) { return asin(x); },
     [](double x) {
       const double d = 1 / std::sqrt(1 - x * x), c = d * d * d;
       return Orders{std::asin(x), d, x == 0 ? 0 : x * c, (1 + 2 * x * x) * c * d * d};
     }},
    {"acos", [](const Tensor& x) { return acos(x); },
     [](double x) {
       const double d = 1 / std::sqrt(1 - x * x), c = d * d * d;
       return Orders{std::acos(x), -d, x == 0 ? 0 : -x * c, -(1 + 2 * x * x) * c * d * d};
     }},
    {"atanh", [](const Tensor& x) { return atanh(x); },
     [](double x) {
       const double d = 1 / (1 - x * x);
       return Orders{std::atanh(x), d, x == 0 ? 0 : 2 * x * d * d, (2 + 6 * x * x) * d * d * d};
     }},
};

Orders computed(const Function& f, double x, DType dtype) {
  const Tensor leaf = full({1}, x, dtype).require_grad();
  Orders result{};
  Tensor y = f.function(leaf);
  for (size_t order = 0; order < result.size(); ++order) {
    result[order] = y.item();
    if (order + 1 < result.size())
      y = y.requires_grad() ? grad({y}, {leaf}, {.create_graph = true, .zero_if_unreached = true},
                                   {ones({1}, dtype)})[0]
                            : zeros({1}, dtype);
  }
  return result;
}

bool same(double value, double expected, double tolerance) {
  if (is_nan(expected)) return is_nan(value);
  if (std::isinf(expected)) return value == expected;
  return std::abs(value - expected) <= tolerance * std::max(1.0, std::abs(expected));
}

void check(const Function& f, std::initializer_list<double> points, DType dtype, double tolerance) {
  for (const double x : points) {
    const Orders expected = f.expected(x), value = computed(f, x, dtype);
    for (size_t order = 0; order < expected.size(); ++order)
      CHECK_MESSAGE(same(value[order], expected[order], tolerance), std::string(f.name),
                    " of order ", order, " at ", x, ", ", std::string(name_of(dtype)), ": ",
                    value[order], ", expected ", expected[order]);
  }
}

}  // namespace

TEST_CASE("every function and its first three derivatives at special points") {
  for (const Function& f : functions)
    for (const DType dtype : {DType::float64, DType::float32})
      check(f, {0.0, 1.0, -1.0, 0.5, -0.5, 2.5, infinity, -infinity, not_a_number}, dtype,
            dtype == DType::float64 ? 1e-12 : 1e-5);
  for (const Function& f : inverses)
    check(f, {0.0, 0.5, -0.5, 0.999, not_a_number}, DType::float64, 1e-9);
  check({"acosh", [](const Tensor& x) { return acosh(x); }, of_acosh}, {1.001, 3.0, infinity},
        DType::float64, 1e-9);
}

TEST_CASE("at the ends of their domains the inverse functions have infinite derivatives") {
  auto slope = [](Tensor (*f)(const Tensor&), double x) {
    return computed({"", f, nullptr}, x, DType::float64)[1];
  };
  CHECK(slope([](const Tensor& x) { return asin(x); }, 1) == infinity);
  CHECK(slope([](const Tensor& x) { return acos(x); }, -1) == -infinity);
  CHECK(slope([](const Tensor& x) { return acosh(x); }, 1) == infinity);
  CHECK(slope([](const Tensor& x) { return atanh(x); }, 1) == infinity);
  CHECK(atanh(tensor({1, -1})).to_vector<double>() == Values{infinity, -infinity});
  for (Tensor (*f)(const Tensor&) :
       {+[](const Tensor& x) { return asin(x); }, +[](const Tensor& x) { return acos(x); },
        +[](const Tensor& x) { return atanh(x); }})
    CHECK(is_nan(f(tensor({1.5})).item()));
  CHECK(is_nan(acosh(tensor({0.5})).item()));
}

namespace {
/// Both derivatives of f at (a, b).
template <class F>
Values slopes(F f, double a, double b) {
  const Tensor x = full({}, a, DType::float64).require_grad(),
               y = full({}, b, DType::float64).require_grad();
  const auto g = grad({f(x, y)}, {x, y});
  return {g[0].item(), g[1].item()};
}
}  // namespace

TEST_CASE("the derivatives of functions of two arguments at ties, zeros and infinities") {
  const auto power = [](const Tensor& a, const Tensor& b) { return pow(a, b); };
  CHECK(slopes(power, 0, 0) == Values{0, 0});
  CHECK(slopes(power, 0, 1) == Values{1, 0});
  CHECK(slopes(power, 0, 2) == Values{0, 0});
  CHECK(slopes(power, 2, 0) == Values{0, std::log(2)});
  CHECK(slopes(power, infinity, 0) == Values{0, infinity});
  const auto larger = [](const Tensor& a, const Tensor& b) { return maximum(a, b); };
  CHECK(slopes(larger, 1, 1) == Values{0.5, 0.5});
  CHECK(slopes(larger, infinity, infinity) == Values{0.5, 0.5});
  CHECK(slopes(larger, -infinity, 3) == Values{0, 1});
  const auto smaller = [](const Tensor& a, const Tensor& b) { return minimum(a, b); };
  CHECK(slopes(smaller, 0, -0.0) == Values{0.5, 0.5});
  CHECK(slopes(smaller, infinity, 3) == Values{0, 1});
  const auto quotient = [](const Tensor& a, const Tensor& b) { return a / b; };
  CHECK(slopes(quotient, 1, infinity) == Values{0, 0});
  CHECK(slopes(quotient, 0, 2) == Values{0.5, 0});
  const auto modulus = [](const Tensor& a, const Tensor& b) { return remainder(a, b); };
  CHECK(slopes(modulus, -1, 3) == Values{1, 1});
  const auto chosen = [](const Tensor& a, const Tensor& b) { return where(greater(a, b), a, b); };
  CHECK(slopes(chosen, infinity, 1) == Values{1, 0});
}

TEST_CASE("functions over the whole range of float64, subnormal results and arguments included") {
  struct Row {
    const char* name;
    Tensor (*f)(const Tensor&);
    double (*expected)(double);
    Values points;
  };
  const double smallest = std::numeric_limits<double>::denorm_min();
  const Row rows[] = {
      {"exp",
       [](const Tensor& x) { return exp(x); },
       [](double x) { return std::exp(x); },
       {709.7, 709.78, 709.79, 800, -708, -710, -740, -745.1, -746, -1e300, 1e-310, smallest}},
      {"log",
       [](const Tensor& x) { return log(x); },
       [](double x) { return std::log(x); },
       {1e-310, smallest, 2.2250738585072014e-308, 1e308, 1 + 1e-15, 1 - 1e-15}},
      {"log1p",
       [](const Tensor& x) { return log1p(x); },
       [](double x) { return std::log1p(x); },
       {1e-310, smallest, -1 + 1e-16, 1e308, -1e-300}},
      {"expm1",
       [](const Tensor& x) { return expm1(x); },
       [](double x) { return std::expm1(x); },
       {1e-310, smallest, 709.7, 800, -800, 41, 39}},
      {"erf",
       [](const Tensor& x) { return erf(x); },
       [](double x) { return std::erf(x); },
       {1e200, -1e200, 6, -6, 5.9, 1e-310, 1e-20}},
      {"sigmoid",
       [](const Tensor& x) { return sigmoid(x); },
       [](double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); },
       {-710, -745, -800, 40, 1e300}},
      {"tanh",
       [](const Tensor& x) { return tanh(x); },
       [](double x) { return std::tanh(x); },
       {1e-310, 1e-20, 20, 1e300, -1e300}},
      {"sqrt",
       [](const Tensor& x) { return sqrt(x); },
       [](double x) { return std::sqrt(x); },
       {1e-310, smallest, 1e308}},
      {"sin",
       [](const Tensor& x) { return sin(x); },
       [](double x) { return std::sin(x); },
       {1e-310, 1e22, 1e300, 710}},
      {"sinh",
       [](const Tensor& x) { return sinh(x); },
       [](double x) { return std::sinh(x); },
       {1e-310, 710, -710, 711}},
  };
  for (const Row& row : rows)
    for (const double x : row.points) {
      const double y = row.f(full({}, x, DType::float64)).item(), expected = row.expected(x);
      const double unit = std::nextafter(std::abs(expected), infinity) - std::abs(expected);
      CHECK_MESSAGE((y == expected || std::abs(y - expected) <= 2 * unit), std::string(row.name),
                    " at ", x, ": ", y, ", expected ", expected);
    }
}

TEST_CASE("float32's log takes subnormal numbers, and its exp is 0 below 2⁻¹²⁶") {
  CHECK(log(tensor({1e-40})).item() == doctest::Approx(std::log(double(1e-40F))));
  CHECK(exp(tensor({-87.33})).item() > 0);
  CHECK(exp(tensor({-88.03})).item() == 0);
  CHECK(expm1(tensor({88.6})).item() == doctest::Approx(std::exp(double(88.6F))));
}

TEST_CASE("an element's value does not depend on its neighbours") {
  for (const DType dtype : {DType::float32, DType::float64}) {
    const Tensor alone = full({1}, 0.7, dtype);
    Tensor among = full({37}, 1e5, dtype);
    among[5].assign(alone[0]);
    for (const Function& f : functions) {
      INFO(std::string(f.name));
      CHECK(f.function(alone).item() == f.function(among)[5].item());
    }
  }
}

TEST_CASE("NaN is kept: by max, argmax, select, relu and clamp") {
  const Tensor x = tensor({3, not_a_number, 1, 5});
  CHECK(argmax(x, 0).item() == 1);
  CHECK(argmin(x, 0).item() == 1);
  for (const bool last : {false, true}) {
    CHECK(argmax(tensor({3, not_a_number, 5, not_a_number}), 0, last).item() == 1);
    CHECK(argmin(tensor({3, not_a_number, 1, not_a_number}), 0, last).item() == 1);
  }
  CHECK(is_nan(max(x).item()));
  CHECK(is_nan(min(x).item()));
  CHECK(where(full({}, not_a_number), 1, 2).item() == 1);
  CHECK(is_nan(relu(x)[1].item()));
  CHECK(is_nan(clamp(x, 0, 1)[1].item()));
  CHECK(argsort(x).to_vector<int64_t>() == std::vector<int64_t>{2, 0, 3, 1});
}

TEST_CASE("of equal elements argmax and argmin give the first index, or the last") {
  const Tensor x = tensor({{2, 7, 7, 2}, {0, -0.0, -0.0, 0}, {infinity, 1, infinity, 1}});
  const auto indices = [](const Tensor& y) { return y.to_vector<int64_t>(); };
  CHECK(indices(argmax(x, 1)) == std::vector<int64_t>{1, 0, 0});
  CHECK(indices(argmax(x, 1, true)) == std::vector<int64_t>{2, 3, 2});
  CHECK(indices(argmin(x, 1)) == std::vector<int64_t>{0, 0, 1});
  CHECK(indices(argmin(x, 1, true)) == std::vector<int64_t>{3, 3, 3});
  CHECK(indices(argmax(transpose(x), 0, true)) == std::vector<int64_t>{2, 3, 2});
}

TEST_CASE("logsumexp's gradient at ∞ goes to what is ∞, and at −∞ is 0") {
  auto slope = [](const Tensor& x) {
    x.require_grad();
    return grad({logsumexp(x)}, {x})[0].to_vector<double>();
  };
  CHECK(slope(tensor({infinity, 0})) == Values{1, 0});
  CHECK(slope(tensor({infinity, -infinity, infinity})) == Values{0.5, 0, 0.5});
  CHECK(slope(tensor({-infinity, -infinity})) == Values{0, 0});
  CHECK(slope(tensor({-infinity, 2})) == Values{0, 1});
  CHECK(logsumexp(tensor({1e38, 1e38})).item() == doctest::Approx(1e38));
  const Tensor rows = tensor({{infinity, 0}, {0, 0}}).require_grad();
  CHECK(grad({sum(logsumexp(rows, {1}))}, {rows})[0].to_vector<double>() == Values{1, 0, 0.5, 0.5});
  for (const double x : {infinity, not_a_number}) {
    CHECK(is_nan(softmax(tensor({x, 0}))[1].item()));  // as in PyTorch
    CHECK(is_nan(log_softmax(tensor({x, 0}))[1].item()));
  }
}

TEST_CASE("gelu and silu of large numbers") {
  for (const double x : {1e200, 40.0}) {
    CHECK(gelu(full({}, x, DType::float64)).item() == x);
    CHECK(gelu(full({}, -x, DType::float64)).item() == 0);
    CHECK(silu(full({}, x, DType::float64)).item() == x);
    const Tensor leaf = full({}, x, DType::float64).require_grad();
    CHECK(grad({gelu(leaf)}, {leaf})[0].item() == 1);
  }
}

TEST_CASE("var with a correction of n or more is ∞, or NaN where nothing varies") {
  CHECK(var(tensor({1, 3}), {}, false, 3).item() == infinity);
  CHECK(var(tensor({1, 3}), {}, false, 2).item() == infinity);
  CHECK(is_nan(var(tensor({2, 2}), {}, false, 3).item()));
  CHECK(is_nan(var(tensor({1})).item()));
}

namespace {
/// The output and the gradients of all parameters for x that holds `padding` beyond the lengths.
template <class Layer>
std::vector<Values> trained_with(double padding, bool step_by_step) {
  Generator generator(1);
  Layer layer(2, 3, generator, {.layers = 2, .bidirectional = true});
  Tensor x = random_normal({2, 4, 2}, 0, 1, generator);
  x[1][{range(1, 4)}].assign(full({3, 2}, padding));
  const StepByStep steps(step_by_step);
  const Mask mask = Mask::lengths(std::vector<int64_t>{4, 1}, 4);
  const Tensor y = layer(x, mask).output;
  sum(y * y).backward();
  std::vector<Values> result{values(y)};
  for (const Tensor& parameter : parameters(layer)) result.push_back(values(parameter.grad()));
  return result;
}
}  // namespace

TEST_CASE_TEMPLATE("what lies beyond a length may be NaN or ∞", Layer, LSTM, GRU, RNN) {
  for (const bool step_by_step : {false, true}) {
    const auto expected = trained_with<Layer>(0, step_by_step);
    CHECK(trained_with<Layer>(not_a_number, step_by_step) == expected);
    CHECK(trained_with<Layer>(infinity, step_by_step) == expected);
  }
}

TEST_CASE("gradients are clipped whose squares float64 cannot hold") {
  for (const double size : {1e160, 1e300, 1e-160, 1e-300}) {
    INFO(size);
    const Tensor a = zeros({2}, DType::float64).require_grad(),
                 b = zeros({1}, DType::float64).require_grad();
    a.set_grad(tensor({3 * size, 0}, DType::float64));
    b.set_grad(tensor({4 * size}, DType::float64));
    const double norm = clip_gradients(std::vector<Tensor>{a, b}, 1);
    CHECK(norm == doctest::Approx(5 * size).epsilon(1e-12));
    if (size > 1) {
      CHECK(a.grad()[0].item() == doctest::Approx(0.6).epsilon(1e-12));
      CHECK(b.grad()[0].item() == doctest::Approx(0.8).epsilon(1e-12));
    }
  }
  const Tensor wide = zeros({2}).require_grad();
  wide.set_grad(tensor({3e38, 3e38}));
  CHECK(clip_gradients(std::vector<Tensor>{wide}, 1) ==
        doctest::Approx(3e38 * std::sqrt(2)).epsilon(1e-6));
  wide.set_grad(zeros({2}));
  CHECK(clip_gradients(std::vector<Tensor>{wide}, 1) == 0);
}
