#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace gradus {

/// How formulas call the i-th of `count` inputs: x if it is the only one, else a, b, c, … without
/// g, x and y, which stand for the gradient, a single input and the output.
std::string operand_name(int i, int count);

/// Which values a derivative reads: of the inputs, of the output, or both.
struct Reads {
  static constexpr uint32_t output_bit = uint32_t{1} << 31;

  uint32_t bits = 0;

  constexpr bool input(size_t i) const { return i < 31 ? (bits >> i) & 1 : (bits & ~output_bit); }
  constexpr bool output() const { return bits & output_bit; }
  constexpr Reads operator|(Reads other) const { return {bits | other.bits}; }

  static constexpr Reads everything() { return {~uint32_t{0}}; }
  static constexpr Reads all_inputs() { return {~output_bit}; }
};

/// The values of those operands that the text names, in the letters of operand_name() and y for the
/// output: reads("b"), reads("ay").
consteval Reads reads(const char* operands) {
  Reads result;
  constexpr const char* letters = "abcdefhijklmnopqrstuvwz";
  for (const char* c = operands; *c; ++c) {
    if (*c == 'y') {
      result.bits |= Reads::output_bit;
      continue;
    }
    int i = 0;
    while (*c != 'x' && letters[i] != *c)
      if (!letters[++i]) throw "reads: no operand has this letter";
    result.bits |= uint32_t{1} << i;
  }
  return result;
}

/// dL/d(input): how people write it, and the values that its rule reads.
struct Derivative {
  const char* text = "";  ///< "g · bᵀ", where y is the output and g = dL/dy
  Reads reads = {};
};

/// The facts about an op. A name alone is enough to differentiate: a rule may then read every input
/// and the output, and all of them are kept for it.
class Op {
 public:
  constexpr Op(const char* name) : name(name) {}  // NOLINT: a name is an op
  /// With its formula over the operands' names, and a derivative for each input in turn, of which
  /// the last one stands for all further inputs:
  /// {"matmul", "a · b", {{"g · bᵀ", reads("b")}, {"aᵀ · g", reads("a")}}}
  template <size_t n>
  constexpr Op(const char* name, const char* formula, const Derivative (&derivatives)[n],
               bool is_view = false)
      : name(name), formula(formula), is_view(is_view), count_(n) {
    static_assert(n <= most, "an op states at most eight derivatives, the last one for the rest");
    for (size_t i = 0; i < n; ++i) own_[i] = derivatives[i];
  }
  /// The same with derivatives that stay where they are as long as the op.
  constexpr Op(const char* name, const char* formula, std::span<const Derivative> derivatives = {},
               bool is_view = false)
      : name(name),
        formula(formula),
        is_view(is_view),
        count_(derivatives.size()),
        others_(derivatives.data()) {}

  const char* name;  ///< a literal
  const char* formula = "";
  bool is_view = false;  ///< the output shows the input's memory in another shape
  Reads also = {};       ///< what derivatives of derivatives read besides

  bool has_derivatives() const { return count_ > 0; }
  /// Of input i.
  const Derivative& derivative(size_t i) const {
    return (others_ ? others_ : own_)[i < count_ ? i : count_ - 1];
  }

 private:
  static constexpr size_t most = 8;

  Derivative own_[most] = {};
  size_t count_ = 0;
  const Derivative* others_ = nullptr;
};

/// What an op was asked for besides its inputs: {"axis", 1}, {"shape", sizes}, {"epsilon", 1e-5}.
/// Traces show it, and exports write it.
struct Attribute {
  using Value = std::variant<int64_t, double, std::string, std::vector<int64_t>>;

  std::string name;
  Value value;

  /// "(2, 3)" for sizes, "1e-05", "float32".
  std::string text() const;
  bool operator==(const Attribute&) const = default;
};
using Attributes = std::vector<Attribute>;

}  // namespace gradus
