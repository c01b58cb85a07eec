#include <fmt/core.h>

#include "layers/layers.h"
#include "optim/optimizer.h"

using namespace gradus;

struct Classifier {  // a layer is a plain type that names its parameters
  Dense hidden, logits;

  Tensor operator()(const Tensor& x) const { return logits(tanh(hidden(x))); }
  void parameters(auto&& visit) {
    visit("hidden", hidden);
    visit("logits", logits);
  }
};

int main() {
  Generator generator(1);
  const Tensor points = random_normal({500, 2}, 0, 1, generator);
  const Tensor inside = less(sum(points * points, {1}), 1.4);  // 1 within a circle, else 0
  const Tensor classes = cast(inside, DType::int64);

  Classifier model{Dense(2, 16, generator), Dense(16, 2, generator)};
  Adam adam(parameters(model), {.learning_rate = 0.03});
  for (int step = 0; step <= 200; ++step) {
    const Tensor loss = cross_entropy(model(points), classes);
    adam.zero_grad();
    loss.backward();
    adam.step();
    if (step % 50 == 0) fmt::print("step {:3}  loss {:.4f}\n", step, loss.item());
  }
  const Tensor right = equal(cast(argmax(model(points), 1), DType::float32), inside);
  fmt::print("right: {:.1f} %\n", 100 * mean(right).item());
}
