#include <cstdio>

#include "core/tensor/version.h"
#include "layers/check/check.h"
#include "layers/layers.h"
#include "optim/optimizer.h"

using namespace gradus;

struct Gate {
  Dense open, value;
  Tensor operator()(const Tensor& x) const { return sigmoid(open(x)) * value(x); }
  void parameters(auto&& visit) { visit("open", open), visit("value", value); }
};

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
  const LayerReport report = check_layer(gate, x);
  std::printf("gradus %s: loss %.3f\n%s", version(), loss, report.text().c_str());
  return loss < 0.1 && report.passed() ? 0 : 1;
}
