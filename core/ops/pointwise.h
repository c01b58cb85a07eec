#pragma once

#include <memory>
#include <string>

#include "core/ops/scalar.h"

namespace gradus {

struct PointwiseKernel;  // a formula, its compiled form and its derivatives

/// An elementwise function, written once as a formula over symbolic scalars:
///
///     const Pointwise silu{"silu", [](Expr x) { return x * sigmoid(x); }};
///
/// Applied to tensors it broadcasts them, runs the whole formula in one vectorised pass, and is
/// differentiable to any order. Applied to expressions it becomes part of a larger formula.
class Pointwise {
 public:
  template <class F>
  Pointwise(std::string name, F formula) : Pointwise(std::move(name), write(std::move(formula))) {}

  template <std::same_as<Tensor>... T>
  Tensor operator()(const T&... inputs) const {
    const Tensor list[] = {inputs...};
    return run(list);
  }
  template <std::same_as<Expr>... E>
  Expr operator()(const E&... inputs) const {
    const Expr list[] = {inputs...};
    return paste(list);
  }
  /// Throws Error for integers, mixed dtypes, shapes that do not broadcast, a wrong count.
  Tensor run(std::span<const Tensor> inputs) const;

  std::string name() const;
  /// "x · sigmoid(x)"
  std::string formula() const;
  /// The formula of dL/d(input i), where g is dL/dy and y the function's value: "g · (1 − y · y)".
  std::string derivative(int i) const;

 private:
  struct Written {
    std::shared_ptr<Formula> formula;
    int root, inputs;
  };
  Pointwise(std::string name, Written written);
  Expr paste(std::span<const Expr> inputs) const;

  template <class F, size_t... i>
  static constexpr bool takes(std::index_sequence<i...>) {
    return std::is_invocable_v<F, decltype((void)i, Expr{})...>;
  }
  /// Calls `f` with as many fresh inputs as it takes.
  template <int n = 1, class F>
  static Written write(F f) {
    static_assert(n <= 8, "a pointwise formula takes one to eight expressions");
    if constexpr (takes<F>(std::make_index_sequence<n>{})) {
      auto formula = std::make_shared<Formula>();
      const int root = [&]<size_t... i>(std::index_sequence<i...>) {
        const Expr inputs[] = {formula->input(static_cast<int>(i))...};
        return f(inputs[i]...).step;
      }
      (std::make_index_sequence<n>{});
      return {formula, root, n};
    } else {
      return write<n + 1>(std::move(f));
    }
  }

  std::shared_ptr<const PointwiseKernel> kernel_;
};

namespace scalar {

/// How many arguments a row takes: as many as its text names.
template <class Row>
constexpr int arity() {
  int count = 0;
  for (const char* c = Row::text; *c; ++c)
    if (c[0] == '{' && c[1] - '0' >= count) count = c[1] - '0' + 1;
  return count;
}

/// A row of the table as a Pointwise of its own, which is never destroyed: a thread may be at work
/// when the program ends.
template <class Row>
const Pointwise& on_tensors() {
  static const Pointwise& function = *new Pointwise(
      Row::name, []<std::same_as<Expr>... E>(const E&... x) requires(sizeof...(E) == arity<Row>()) {
        return apply<Row>(x...);
      });
  return function;
}

template <class Row>
std::vector<Expr> partials(std::span<const Expr> x, Expr y, Expr g) {
  const auto each = [&]<size_t... i>(std::index_sequence<i...>) {
    return Row::partials(x[i]..., y, g);
  }
  (std::make_index_sequence<static_cast<size_t>(arity<Row>())>{});
  return {each.begin(), each.end()};
}

}  // namespace scalar

template <class Row>
inline constexpr ScalarFunction scalar_function{Row::name,
                                                Row::text,
                                                Row::precedence,
                                                scalar::arity<Row>(),
                                                scalar::partials<Row>,
                                                scalar::on_tensors<Row>};

template <class Row, class... T>
std::conditional_t<(std::same_as<T, Expr> || ...), Expr, Tensor> apply(const T&... operands) {
  if constexpr ((std::same_as<T, Expr> || ...)) {
    const Expr known[] = {[](const auto& x) {
      if constexpr (std::same_as<std::decay_t<decltype(x)>, Expr>)
        return x;
      else
        return Expr{};
    }(operands)...};
    Formula& formula = common_formula(known);
    auto lift = [&](const auto& x) {
      if constexpr (std::same_as<std::decay_t<decltype(x)>, Expr>)
        return x;
      else
        return formula.constant(static_cast<double>(x));
    };
    const Expr arguments[] = {lift(operands)...};
    return formula.call(scalar_function<Row>, arguments);
  } else {
    DType dtype = DType::float32;  // a plain number takes the dtype of the tensor beside it
    auto look = [&](const auto& x) {
      if constexpr (std::same_as<std::decay_t<decltype(x)>, Tensor>) dtype = x.dtype();
    };
    (look(operands), ...);
    auto lift = [&](const auto& x) {
      if constexpr (std::same_as<std::decay_t<decltype(x)>, Tensor>)
        return x;
      else
        return full({}, static_cast<double>(x), dtype);
    };
    const Tensor arguments[] = {lift(operands)...};
    return scalar::on_tensors<Row>().run(arguments);
  }
}

}  // namespace gradus
