#include "core/ops/formula.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/ops/pointwise.h"
#include "core/tensor/error.h"

namespace gradus {

Expr Formula::push(const Step& step) {
  const auto [known, is_new] = numbers_.try_emplace(step, static_cast<int>(steps_.size()));
  if (is_new) steps_.push_back(step);
  return {this, known->second};
}

size_t Formula::Hash::operator()(const Step& step) const {
  size_t hash = std::hash<const void*>()(step.function) ^ std::hash<double>()(step.constant);
  for (const int argument : step.arguments)
    hash = hash * 0x9E3779B97F4A7C15 + static_cast<size_t>(argument);
  return hash;
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
  constexpr size_t longest = 2000;  // beyond it, parts that occur several times have names
  const auto step_at = [this](int i) -> const Step& { return steps_[static_cast<size_t>(i)]; };
  std::vector<size_t> lengths(static_cast<size_t>(root) + 1), uses(lengths.size());
  for (int i = 0; i <= root; ++i) {
    size_t& length = lengths[static_cast<size_t>(i)] = 1;
    for (int k = 0; step_at(i).function && k < step_at(i).function->arity; ++k)
      length =
          std::min(longest + 1, length + lengths[static_cast<size_t>(step_at(i).arguments[k])]);
  }
  const bool is_long = lengths.back() > longest;
  uses.back() = 1;
  for (int i = root; i >= 0; --i)
    for (int k = 0;
         uses[static_cast<size_t>(i)] > 0 && step_at(i).function && k < step_at(i).function->arity;
         ++k)
      ++uses[static_cast<size_t>(step_at(i).arguments[k])];
  const auto has_name = [&](int i) {
    return is_long && i != root && step_at(i).function && uses[static_cast<size_t>(i)] > 1;
  };

  // What is still to be written: text, or (where `step` ≥ 0) a step.
  struct Piece {
    std::string_view text;
    int step = -1;
  };
  std::string result;
  std::vector<Piece> waiting;
  /// Writes a step with the text of its function: "{0} · {1}".
  const auto write = [&](int of) {
    for (bool is_first = true; is_first || !waiting.empty(); is_first = false) {
      const Piece piece = is_first ? Piece{{}, of} : waiting.back();
      if (!is_first) waiting.pop_back();
      result += piece.text;
      if (piece.step < 0) continue;
      const Step& step = step_at(piece.step);
      if (step.is_input()) {
        result += names[static_cast<size_t>(step.arguments[0])];
      } else if (step.is_constant()) {
        result += fmt::format("{:g}", step.constant);
      } else if (!is_first && has_name(piece.step)) {
        result += fmt::format("t{}", piece.step);
      } else {
        const ScalarFunction& function = *step.function;
        std::vector<Piece> pieces;
        for (std::string_view rest = function.text; !rest.empty();) {
          const size_t brace = std::min(rest.find('{'), rest.size());
          pieces.push_back({rest.substr(0, brace)});
          rest.remove_prefix(brace);
          if (rest.empty()) break;
          const int k = rest[1] - '0', argument = step.arguments[k];
          rest.remove_prefix(3);
          // a − (b + c), a / (b · c) and (a^b)^c need their brackets though the precedence is the
          // same.
          const ScalarFunction* inner = has_name(argument) ? nullptr : step_at(argument).function;
          const bool unless_higher = k > 0 || function.precedence == scalar::power_precedence;
          const bool in_brackets = inner && function.precedence != scalar::call_precedence &&
                                   inner->precedence < function.precedence + unless_higher;
          if (in_brackets) pieces.push_back({"("});
          pieces.push_back({"", argument});
          if (in_brackets) pieces.push_back({")"});
        }
        waiting.insert(waiting.end(), pieces.rbegin(), pieces.rend());
      }
    }
  };
  write(root);
  const char* before = " where ";
  for (int i = root; i >= 0; --i) {
    if (uses[static_cast<size_t>(i)] == 0 || !has_name(i)) continue;
    result += fmt::format("{}t{} = ", std::exchange(before, ", "), i);
    write(i);
  }
  return result;
}

Formula& common_formula(std::span<const Expr> expressions) {
  for (const Expr& e : expressions)
    if (e.formula) return *e.formula;
  throw Error("formula: none of the expressions belongs to a formula");
}

}  // namespace gradus
