#include "core/ops/formula.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/ops/pointwise.h"
#include "core/tensor/error.h"

namespace gradus {

Expr Formula::push(const Step& step) {
  const auto found = std::find(steps_.begin(), steps_.end(), step);
  if (found != steps_.end()) return {this, static_cast<int>(found - steps_.begin())};
  steps_.push_back(step);
  return {this, static_cast<int>(steps_.size()) - 1};
}

Expr Formula::input(int number) { return push({nullptr, {number, -1, -1}, 0}); }
Expr Formula::constant(double value) { return push({nullptr, {-1, -1, -1}, value}); }

bool Formula::is_constant(Expr x, double value) const {
  const Step& step = steps_[static_cast<size_t>(x.step)];
  return step.is_constant() && step.constant == value;
}

Expr Formula::call(const ScalarFunction& function, std::span<const Expr> x) {
  auto is = [&](Expr e, double value) { return is_constant(e, value); };
  auto number = [&](Expr e) -> const double* {
    const Step& step = steps_[static_cast<size_t>(e.step)];
    return step.is_constant() ? &step.constant : nullptr;
  };
  if (&function == &scalar_function<scalar::Add>) {
    if (is(x[0], 0)) return x[1];
    if (is(x[1], 0)) return x[0];
    if (number(x[0]) && number(x[1])) return constant(*number(x[0]) + *number(x[1]));
  } else if (&function == &scalar_function<scalar::Subtract>) {
    if (is(x[1], 0)) return x[0];
    if (number(x[0]) && number(x[1])) return constant(*number(x[0]) - *number(x[1]));
  } else if (&function == &scalar_function<scalar::Multiply>) {
    if (is(x[0], 0) || is(x[1], 1)) return x[0];
    if (is(x[1], 0) || is(x[0], 1)) return x[1];
    if (number(x[0]) && number(x[1])) return constant(*number(x[0]) * *number(x[1]));
  } else if (&function == &scalar_function<scalar::Divide>) {
    if (is(x[0], 0) || is(x[1], 1)) return x[0];
  } else if (&function == &scalar_function<scalar::Negate>) {
    if (number(x[0])) return constant(-*number(x[0]));
  } else if (&function == &scalar_function<scalar::Where>) {
    if (x[1].step == x[2].step) return x[1];
  }
  Step step{&function, {-1, -1, -1}, 0};
  for (size_t i = 0; i < x.size(); ++i) step.arguments[i] = x[i].step;
  return push(step);
}

std::vector<int> Formula::inputs_of(int root) const {
  std::vector<bool> needed(static_cast<size_t>(root) + 1, false);
  needed.back() = true;
  std::vector<int> result;
  for (int i = root; i >= 0; --i) {
    if (!needed[static_cast<size_t>(i)]) continue;
    const Step& step = steps_[static_cast<size_t>(i)];
    if (step.is_input()) result.push_back(step.arguments[0]);
    if (!step.function) continue;
    for (int argument : step.arguments)
      if (argument >= 0) needed[static_cast<size_t>(argument)] = true;
  }
  std::sort(result.begin(), result.end());
  return result;
}

Expr Formula::paste(const Formula& other, int root, std::span<const Expr> inputs) {
  std::vector<Expr> copies;
  for (int i = 0; i <= root; ++i) {
    const Step& step = other.steps_[static_cast<size_t>(i)];
    if (step.is_input()) {
      copies.push_back(inputs[static_cast<size_t>(step.arguments[0])]);
    } else if (step.is_constant()) {
      copies.push_back(constant(step.constant));
    } else {
      std::vector<Expr> arguments;
      for (int k = 0; k < step.function->arity; ++k)
        arguments.push_back(copies[static_cast<size_t>(step.arguments[k])]);
      copies.push_back(call(*step.function, arguments));
    }
  }
  return copies.back();
}

std::vector<Expr> Formula::derivatives(const Formula& source, int root, int inputs, Formula& target,
                                       Expr output, Expr gradient) {
  // The values of all steps in the target, with the root's replaced by `output`.
  std::vector<Expr> values, arguments;
  for (int i = 0; i <= root; ++i) {
    const Step& step = source.steps_[static_cast<size_t>(i)];
    if (step.is_input()) {
      values.push_back(target.input(step.arguments[0]));
    } else if (i == root) {
      values.push_back(output);
    } else if (step.is_constant()) {
      values.push_back(target.constant(step.constant));
    } else {
      arguments.clear();
      for (int k = 0; k < step.function->arity; ++k)
        arguments.push_back(values[static_cast<size_t>(step.arguments[k])]);
      values.push_back(target.call(*step.function, arguments));
    }
  }
  const Expr zero = target.constant(0);
  std::vector<Expr> adjoints(static_cast<size_t>(root) + 1, zero);
  adjoints.back() = gradient;
  std::vector<Expr> result(static_cast<size_t>(inputs), zero);
  for (int i = root; i >= 0; --i) {
    const Step& step = source.steps_[static_cast<size_t>(i)];
    const Expr adjoint = adjoints[static_cast<size_t>(i)];
    if (target.is_constant(adjoint, 0)) continue;
    if (step.is_input()) {
      result[static_cast<size_t>(step.arguments[0])] = adjoint;
    } else if (!step.is_constant()) {
      arguments.clear();
      for (int k = 0; k < step.function->arity; ++k)
        arguments.push_back(values[static_cast<size_t>(step.arguments[k])]);
      const std::vector<Expr> partials =
          step.function->partials(arguments, values[static_cast<size_t>(i)], adjoint);
      for (size_t k = 0; k < partials.size(); ++k) {
        Expr& sum = adjoints[static_cast<size_t>(step.arguments[k])];
        sum = sum + partials[k];
      }
    }
  }
  return result;
}

std::string Formula::text(int root, std::span<const std::string> names) const {
  const Step& step = steps_[static_cast<size_t>(root)];
  if (step.is_input()) return names[static_cast<size_t>(step.arguments[0])];
  if (step.is_constant()) return fmt::format("{:g}", step.constant);
  const ScalarFunction& function = *step.function;
  std::string parts[3];
  for (int k = 0; k < function.arity; ++k) {
    parts[k] = text(step.arguments[k], names);
    const ScalarFunction* inner = steps_[static_cast<size_t>(step.arguments[k])].function;
    if (!inner || function.precedence == scalar::call_precedence) continue;
    // a − (b + c), a / (b · c) and (a^b)^c need their brackets though the precedence is the same.
    const bool unless_higher = k > 0 || function.precedence == scalar::power_precedence;
    if (inner->precedence < function.precedence + unless_higher)
      parts[k] = fmt::format("({})", parts[k]);
  }
  return fmt::format(fmt::runtime(function.text), parts[0], parts[1], parts[2]);
}

Formula& common_formula(std::span<const Expr> expressions) {
  for (const Expr& e : expressions)
    if (e.formula) return *e.formula;
  throw Error("formula: none of the expressions belongs to a formula");
}

}  // namespace gradus
