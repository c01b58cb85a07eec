#pragma once

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace gradus {

class Formula;
class Pointwise;

/// A symbolic scalar: a step of a Formula that is being written.
struct Expr {
  Formula* formula = nullptr;
  int step = 0;
};

/// A row of core/ops/scalar.h as data.
struct ScalarFunction {
  const char *name, *text;
  int precedence, arity;
  std::vector<Expr> (*partials)(std::span<const Expr> arguments, Expr y, Expr g);
  const Pointwise& (*on_tensors)();
};

/// A scalar formula as a list of steps, each computed from earlier ones; equal steps are one.
class Formula {
 public:
  struct Step {
    const ScalarFunction* function = nullptr;  ///< none for an input or a constant
    int arguments[3] = {-1, -1, -1};           ///< earlier steps; for an input its number
    double constant = 0;
    bool is_input() const { return !function && arguments[0] >= 0; }
    bool is_constant() const { return !function && arguments[0] < 0; }
    bool operator==(const Step&) const = default;
  };

  Expr input(int number);
  Expr constant(double value);
  /// Appends the call of a function, unless it simplifies (x + 0, 1 · x, …) or is there already.
  Expr call(const ScalarFunction& function, std::span<const Expr> arguments);

  const std::vector<Step>& steps() const { return steps_; }
  bool is_constant(Expr x, double value) const;

  /// The numbers of the inputs that `root` needs, in order.
  std::vector<int> inputs_of(int root) const;

  /// Copies the steps of `other` that `root` needs, with its inputs replaced; returns root's copy.
  Expr paste(const Formula& other, int root, std::span<const Expr> inputs);

  /// Reverse-mode derivative of `root`: dL/d(input i) for every i < inputs, given dL/d(root).
  /// Where a derivative contains root's own value it uses `output` instead: tanh′ = 1 − y².
  static std::vector<Expr> derivatives(const Formula& source, int root, int inputs, Formula& target,
                                       Expr output, Expr gradient);

  /// As people write it: "x · sigmoid(x)"; a very long one names its parts, "t3 + x where t3 = …".
  std::string text(int root, std::span<const std::string> names) const;

 private:
  struct Hash {
    size_t operator()(const Step& step) const;
  };
  Expr push(const Step& step);
  std::vector<Step> steps_;
  std::unordered_map<Step, int, Hash> numbers_;  // of the steps
};

/// The formula that an expression belongs to, where at least one of several knows it.
Formula& common_formula(std::span<const Expr> expressions);

}  // namespace gradus
