#include "core/core.h"
#include "examples/step/step.h"
#include "layers/layers.h"

using namespace gradus;

struct Network {
  Dense hidden, output;
  Tensor operator()(const Tensor& x) const { return output(relu(hidden(x))); }
  void parameters(auto&& visit) { visit("hidden", hidden), visit("output", output); }
};

int main() {
  Generator generator(1);
  Network network{Dense(3, 4, generator), Dense(4, 1, generator)};
  const Tensor x = random_normal({8, 3}, 0, 1, generator);
  return step::step_through([&] { mean(network(x)).backward(); }, layer_names(network));
}
