#include <cstdint>
#include <string_view>

#include "core/tensor/error.h"
#include "examples/live/expression.h"

using namespace gradus;
using live::Expression;

/// What someone types is computed, as an expression of tensors and as a function, or refused.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Tensor x = full({2, 2}, 0.5, DType::float64);
  try {
    Expression::parse(text, {"a", "b", "g", "y"})({{"a", x}, {"b", x}, {"g", x}, {"y", x}});
  } catch (const Error&) {
  }
  try {
    const Expression expression = Expression::parse(text, {"x"});
    const Pointwise f = expression.pointwise("f");
    f.formula();
    f.derivative(0);
    f(x);
    for (const auto& function : expression.functions())
      expression.with(function, Expression::parse("x + 1", {"x"})).pointwise("g");
  } catch (const Error&) {
  }
  return 0;
}
