#include <cstdio>
#include <filesystem>
#include <string>

#include "core/core.h"
#include "core/tensor/version.h"
#include "core/trace/trace.h"
#include "layers/check/check.h"
#include "layers/exchange/onnx.h"
#include "layers/layers.h"
#include "optim/optimizer.h"

using namespace gradus;

/// An op of one's own, with an attribute: yᵢ = xᵢ where xᵢ > 0, else slope · xᵢ.
Tensor leaky(const Tensor& x, double slope) {
  const Tensor values = contiguous(x.detach());
  Tensor y = Tensor::uninitialised(x.shape(), x.dtype());
  dispatch_float("leaky", x.dtype(), [&](auto element) {
    using T = decltype(element);
    const T* from = values.data<T>();
    T* to = y.mutable_data<T>();
    for (int64_t i = 0; i < x.numel(); ++i)
      to[i] = from[i] > 0 ? from[i] : static_cast<T>(slope) * from[i];
  });
  return record(
      {"leaky", "x where x > 0, else slope · x", {{"g where x > 0, else slope · g", reads("x")}}},
      y, {x},
      [slope](const Backward& b) {
        return std::vector<Gradient>{where(greater(b.input(0), 0), b.gradient, b.gradient * slope)};
      },
      [slope](const auto& inputs) { return leaky(inputs[0], slope); },
      [=] {
        return Attributes{{"slope", slope}};
      });
}

struct Gate {
  Dense open, value;
  Tensor operator()(const Tensor& x) const { return sigmoid(open(x)) * leaky(value(x), 0.1); }
  void parameters(auto&& visit) { visit("open", open), visit("value", value); }
};

bool expect(bool right, const char* what) {
  if (!right) std::printf("wrong: %s\n", what);
  return right;
}

int main() {
  Generator generator(1);
  Gate gate{Dense(3, 2, generator), Dense(3, 2, generator)};
  const Tensor x = random_normal({8, 3}, 0, 1, generator), target = ones({8, 2});
  Adam adam(parameters(gate), {.learning_rate = 0.1});
  double loss = 0;
  for (int step = 0; step < 100; ++step) {
    const Tensor error = gate(x) - target, mean_square = mean(error * error);
    adam.zero_grad();
    mean_square.backward();
    adam.step();
    loss = mean_square.item();
  }
  bool right = expect(loss < 0.1, "the loss after training");

  const LayerReport report = check_layer(gate, x);
  right &= expect(report.passed(), "check_layer()");

  Trace trace;
  {
    const auto recording = trace.record(layer_names(gate));
    mean(gate(x)).backward();
  }
  bool seen = false;
  for (const TraceNode& node : trace.nodes())
    seen |= node.op == "leaky" && node.attributes == Attributes{{"slope", 0.1}} &&
            node.gradient.defined();
  right &= expect(seen, "the trace shows the op with its attribute and its gradient");
  trace.save("gate.trace");
  right &= expect(Trace::load("gate.trace").size() == trace.size(), "the saved trace");

  export_onnx("gate.onnx", {{"leaky", {"LeakyRelu", {{"slope", "alpha"}}}}}, gate, x);
  right &= expect(std::filesystem::file_size("gate.onnx") > 0, "the ONNX file");

  std::printf("gradus %s: loss %.3f\n%s", version(), loss, report.text().c_str());
  return right ? 0 : 1;
}
