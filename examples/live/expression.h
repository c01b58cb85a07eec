#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/ops/pointwise.h"

namespace gradus::live {

/// What someone types: `x * sigmoid(x)`, `g @ b'`, `y * (g - sum(g * y, -1))`.
///
///     + − * / ^        elementwise, as in mathematics: ^ binds tighter than −, from the right
///     a @ b            the product of matrices; a' or aᵀ is the transpose of the last two axes
///     exp, log, tanh, sigmoid, relu, softplus, sqrt, sin, cos, abs, erf, sign
///     max(a, b), min(a, b)
///     sum(a), mean(a)  of all elements; sum(a, k) along axis k, which is kept with size 1
///     softmax(a)       along the last axis
///
/// ·, ×, −, ², √ and ᵀ may be written, too.
class Expression {
 public:
  /// Throws Error, with the place, for what is not an expression, and for names that are not among
  /// `names`.
  static Expression parse(std::string_view text, const std::vector<std::string>& names);

  /// Its value for these tensors, all of one dtype; recorded as any computation is.
  Tensor operator()(const std::map<std::string, Tensor>& values) const;
  /// As an elementwise function of the names, in their order: one to eight of them.
  /// Throws Error where it has products of matrices, sums or softmax, or names nothing.
  Pointwise pointwise(const std::string& name) const;

  /// The elementwise functions of one argument that it calls: "tanh", "sigmoid".
  std::set<std::string> functions() const;
  /// The same, with `by`, an expression of one name, in the place of each call of `function`.
  Expression with(const std::string& function, const Expression& by) const;

 private:
  bool has_name() const;

  enum class Kind { number, name, call };
  friend class Parser;
  template <class V>
  friend class Evaluation;

  Kind kind_ = Kind::number;
  double number_ = 0;
  std::string text_;  ///< the name, or the function's
  std::vector<Expression> arguments_;
  std::vector<std::string> names_;  ///< at the root
};

}  // namespace gradus::live
