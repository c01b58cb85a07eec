#include "core/autograd/autograd.h"
#include "core/ops/gather.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/ops/softmax.h"
#include "examples/step/lessons.h"
#include "layers/dense.h"
#include "layers/parameters.h"

namespace gradus::step {

namespace {

struct Classifier {
  Dense dense;

  Tensor operator()(const Tensor& x) const { return softmax(dense(x)); }
  void parameters(auto&& visit) { visit("dense", dense); }
};

}  // namespace

Trace dense_layer() {
  Generator generator(1);
  Classifier model{Dense(2, 3, generator)};
  const Tensor x = tensor({{1, -2}, {0.5, 3}});
  const Tensor target = one_hot(tensor({0, 2}, DType::int64), 3);

  Trace trace;
  {
    const auto recording = trace.record(layer_names(model));
    const Tensor p = model(x);
    const Tensor loss = -sum(target * log(p));
    loss.backward();
  }
  return trace;
}

}  // namespace gradus::step
