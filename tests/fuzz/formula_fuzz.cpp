#include <cstdint>
#include <vector>

#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"

using namespace gradus;

namespace {

/// Each byte takes what it needs from the end of a list of values and appends its own.
Expr formula_of(const uint8_t* data, size_t size, Expr x, Expr y) {
  std::vector<Expr> values{x, y};
  const auto take = [&] {
    const Expr last = values.back();
    if (values.size() > 1) values.pop_back();
    return last;
  };
  for (size_t i = 0; i < size; ++i) {
    const Expr a = values.back();
    switch (data[i] % 16) {
      case 0:
        values.push_back(x);
        break;
      case 1:
        values.push_back(y);
        break;
      case 2:
        values.push_back(x + data[i] / 16.0);
        break;
      case 3:
        values.push_back(a);
        break;
      case 4:
        take(), values.push_back(a + take());
        break;
      case 5:
        take(), values.push_back(a - take());
        break;
      case 6:
        take(), values.push_back(a * take());
        break;
      case 7:
        take(), values.push_back(a / take());
        break;
      case 8:
        take(), values.push_back(-a);
        break;
      case 9:
        take(), values.push_back(tanh(a));
        break;
      case 10:
        take(), values.push_back(sigmoid(a));
        break;
      case 11:
        take(), values.push_back(exp(a));
        break;
      case 12:
        take(), values.push_back(abs(a));
        break;
      case 13:
        values.push_back(a * a);
        break;
      case 14:
        take(), values.push_back(where(take(), a, x));
        break;
      case 15:
        take(), values.push_back(pow(a, 2));
        break;
    }
  }
  return values.back();
}

}  // namespace

/// Any formula can be written down, differentiated and computed.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const Pointwise f{"f", [&](Expr x, Expr y) { return formula_of(data, size, x, y); }};
    f.formula();
    f.derivative(0);
    f.derivative(1);
    f(full({3}, 0.5), full({3}, -2));
  } catch (const Error&) {
  }
  return 0;
}
