#include <cmath>

#include "core/autograd/autograd.h"
#include "core/autograd/scope.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/ops/softmax.h"
#include "examples/step/lessons.h"

namespace gradus::step {

Trace scaled_dot_product_attention() {
  const Tensor queries = parameter("queries", tensor({{1, 0, 1, 0}, {0, 2, 0, 0}}));
  const Tensor keys = parameter("keys", tensor({{2, 0, 2, 0}, {0, 2, 0, 0}, {1, 1, 0, 0}}));
  const Tensor values = parameter("values", tensor({{1, 0}, {0, 1}, {0.4, 0.2}}));
  const Tensor target = tensor({{0, 1}, {0, 1}});

  Trace trace;
  {
    const auto recording = trace.record();
    const Scope attention("attention");
    const Tensor scores = matmul(queries, transpose(keys));
    const Tensor scaled = scores / std::sqrt(4.0);  // the size of a key
    const Tensor weights = softmax(scaled);
    const Tensor output = matmul(weights, values);
    const Tensor error = output - target;
    const Tensor loss = sum(error * error);
    loss.backward();
  }
  trace.queries = {"我", "喝茶"};
  trace.keys = {"I", "drink", "tea"};
  return trace;
}

}  // namespace gradus::step
