#include "core/ops/packed_weight.h"

#include <doctest/doctest.h>

#include "core/autograd/autograd.h"
#include "core/ops/matmul.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/random.h"

using namespace gradus;

TEST_CASE("constant parameters are laid out once, other matrices each time") {
  Generator generator(3);
  const Tensor weight = random_normal({80, 70}, 0, 1, generator).require_grad();
  const Tensor computed = weight * 2, constant = weight.detach();
  CHECK(packed<float>(weight, true) != packed<float>(weight, true));
  const ConstantParameters promise;
  CHECK(packed<float>(weight, true) == packed<float>(weight, true));
  CHECK(packed<float>(weight, true) != packed<float>(weight, false));
  CHECK(packed<float>(computed, true) != packed<float>(computed, true));
  CHECK(packed<float>(constant, true) != packed<float>(constant, true));
}

TEST_CASE("what constant parameters promise ends with them") {
  Generator generator(4);
  Tensor weight = random_normal({80, 70}, 0, 1, generator).require_grad();
  const Tensor x = random_normal({10, 70}, 0, 1, generator);
  {
    const ConstantParameters promise;
    linear(x, weight);
  }
  weight.assign(zeros({80, 70}));
  const ConstantParameters promise;
  CHECK(max(abs(linear(x, weight))).item() == 0);
}

TEST_CASE("linear has the same gradients with kept panels as without") {
  Generator generator(5);
  const Tensor weight = random_normal({80, 70}, 0, 1, generator).require_grad();
  const Tensor x = random_normal({10, 70}, 0, 1, generator).require_grad();
  const Tensor weights = random_normal({10, 80}, 0, 1, generator);
  auto gradients = [&] { return grad({sum(linear(x * x, weight) * weights)}, {x, weight}); };
  const auto without = gradients();
  const ConstantParameters promise;
  const auto with = gradients();
  for (size_t i = 0; i < with.size(); ++i)
    CHECK(max(abs(with[i] - without[i])).item() < 1e-5 * max(abs(without[i])).item());
}
