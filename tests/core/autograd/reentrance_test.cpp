#include <doctest/doctest.h>

#include <numeric>
#include <thread>

#include "core/autograd/autograd.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/tensor/random.h"
#include "tests/core/autograd/leaf.h"

using namespace gradus;
using namespace gradus::testing;

TEST_CASE("a hook may differentiate over leaves that the running pass shares") {
  const Tensor x = leaf({1, 1}), w = leaf({2, 2});
  const Tensor y = x * w;
  y.on_gradient([&](const Tensor&) {
    const EnableGrad record;
    CHECK(values(grad({sum(x * x * w)}, {x})[0]) == Values{4, 4});
    return Tensor();
  });
  sum(y * 2 + x).backward();
  CHECK(values(x.grad()) == Values{5, 5});
  CHECK(values(w.grad()) == Values{2, 2});
}

TEST_CASE("a pass within a pass over the same graph needs it retained") {
  const Tensor x = leaf({1, 2});
  const Tensor inner = x * x, loss = sum(exp(inner));
  bool retain = true;
  loss.on_gradient([&](const Tensor&) {
    grad({inner}, {x}, {.retain_graph = retain}, {ones_like(inner)});
    return Tensor();
  });
  loss.backward({}, true);
  retain = false;
  CHECK(error_of([&] {
          loss.backward();
        }).find("was released while this backward pass was running") != std::string::npos);
}

TEST_CASE("a hook may add hooks") {
  const Tensor x = leaf({1, 2});
  int calls = 0;
  x.on_gradient([&](const Tensor&) {
    for (int i = 0; i < 100; ++i)
      x.on_gradient([&](const Tensor& g) {
        ++calls;
        return g;
      });
    return Tensor();
  });
  sum(x).backward();
  CHECK(calls == 0);
  sum(x).backward();
  CHECK(calls == 100);
}

namespace {

/// f(inputs) without its intermediate values: the backward pass computes them again (Chen et al.
/// 2016, Training Deep Nets with Sublinear Memory Cost).
template <class F>
Tensor checkpoint(const F& f, const std::vector<Tensor>& inputs) {
  Tensor output;
  {
    const NoGrad pause;
    output = f(inputs);
  }
  return record({"checkpoint", "f(x)", {{"g · ∂f/∂x", Reads::all_inputs()}}}, output, inputs,
                [f](const Backward& b) {
                  const EnableGrad record_again;
                  std::vector<Tensor> copies, wanted;
                  for (size_t i = 0; i < b.size(); ++i) {
                    copies.push_back(b.input(i).detach());
                    if (b.needs(i)) wanted.push_back(copies[i].require_grad());
                  }
                  const auto found = grad({f(copies)}, wanted, {}, {b.gradient});
                  std::vector<Gradient> result(b.size());
                  for (size_t i = 0, k = 0; i < b.size(); ++i)
                    if (b.needs(i)) result[i] = found[k++];
                  return result;
                });
}

int64_t kept_elements(const Tensor& loss) {
  int64_t n = 0;
  for (const KeptValue& kept : kept_values(loss))
    if (!kept.is_leaf) n += kept.shape.numel();
  return n;
}

}  // namespace

TEST_CASE("activation checkpointing is an op that a user writes: same gradients, less memory") {
  Generator generator(1);
  auto normal = [&](const Shape& shape) {
    return random_normal(shape, 0, 0.2, generator).require_grad();
  };
  const Tensor x = normal({20, 30});
  std::vector<Tensor> weights;
  for (int i = 0; i < 8; ++i) weights.push_back(normal({30, 30}));
  auto two_layers = [](const std::vector<Tensor>& in) {
    return tanh(matmul(tanh(matmul(in[0], in[1])), in[2]));
  };
  auto loss = [&](bool saving) {
    Tensor h = x;
    for (size_t i = 0; i < weights.size(); i += 2) {
      const std::vector<Tensor> in{h, weights[i], weights[i + 1]};
      h = saving ? checkpoint(two_layers, in) : two_layers(in);
    }
    return sum(h * h);
  };
  std::vector<Tensor> all = weights;
  all.push_back(x);
  const Tensor plain = loss(false), saving = loss(true);
  CHECK(plain.item() == saving.item());
  CHECK(2 * kept_elements(saving) < kept_elements(plain));
  const auto a = grad({plain}, all), b = grad({saving}, all);
  for (size_t i = 0; i < all.size(); ++i) CHECK(values(a[i]) == values(b[i]));
}

TEST_CASE("two threads may run forward and backward over graphs that share parameters") {
  Generator generator(2);
  const Tensor w = random_normal({16, 16}, 0, 0.3, generator).require_grad();
  const Tensor b = zeros({16}).require_grad();
  std::vector<Tensor> inputs;
  for (int i = 0; i < 2; ++i) inputs.push_back(random_normal({4, 16}, 0, 1, generator));
  auto loss = [&](const Tensor& x) { return sum(tanh(linear(tanh(linear(x, w, b)), w, b))); };

  constexpr int rounds = 100;
  std::vector<std::vector<Tensor>> expected;
  for (const Tensor& x : inputs) expected.push_back(grad({loss(x)}, {w, b}));
  std::vector<int> wrong(2, 0);
  auto work = [&](size_t i) {
    for (int round = 0; round < rounds; ++round) {
      const auto found = grad({loss(inputs[i])}, {w, b});
      for (size_t k = 0; k < 2; ++k) wrong[i] += values(found[k]) != values(expected[i][k]);
      loss(inputs[i]).backward();
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  CHECK(wrong == std::vector<int>{0, 0});
  const Tensor total = (expected[0][0] + expected[1][0]) * rounds;
  CHECK(max(abs(w.grad() - total)).item() < 1e-3 * max(abs(total)).item());
}
