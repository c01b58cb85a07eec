#include "core/ops/pointwise.h"
#include "core/tensor/tensor.h"
#include "examples/step/lessons.h"

namespace gradus::step {

Trace scalar_expression() {
  const Tensor input = parameter("input", tensor(2));
  const Tensor weight = parameter("weight", tensor(-0.5));
  const Tensor bias = parameter("bias", tensor(0.25));

  Trace trace;
  {
    const auto recording = trace.record();
    const Tensor output = tanh(weight * input + bias);
    const Tensor error = output - 1;
    const Tensor loss = error * error;
    output.set_name("output"), error.set_name("error"), loss.set_name("loss");
    loss.backward();
  }
  return trace;
}

}  // namespace gradus::step
