#include "core/ops/packed_weight.h"

#include <doctest/doctest.h>

#include "core/autograd/accumulate.h"
#include "core/autograd/autograd.h"
#include "core/functions/index.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/random.h"

using namespace gradus;

TEST_CASE("a parameter is packed once until it changes, other matrices each time") {
  Generator generator(3);
  Tensor weight = random_normal({80, 70}, 0, 1, generator).require_grad();
  const Tensor computed = weight * 2, constant = weight.detach();
  const auto first = packed<float>(weight, true);
  CHECK(packed<float>(weight, true) == first);
  CHECK(packed<float>(weight, true) != packed<float>(weight, false));
  CHECK(packed<float>(weight, true) == first);
  CHECK(packed<float>(computed, true) != packed<float>(computed, true));
  CHECK(packed<float>(constant, true) != packed<float>(constant, true));
  weight.mutable_data<float>();
  CHECK(packed<float>(weight, true) != first);
}

TEST_CASE("a product never uses a weight as it was before it changed, however it was changed") {
  Generator generator(4);
  Tensor weight = random_normal({80, 70}, 0, 1, generator).require_grad();
  const Tensor x = random_normal({10, 70}, 0, 1, generator);
  auto is_fresh = [&] {
    const Tensor fresh = linear(x, clone(weight.detach()));
    return max(abs(linear(x, weight) - fresh)).item() == 0;
  };
  CHECK(is_fresh());
  weight.assign(random_normal({80, 70}, 0, 1, generator));
  CHECK(is_fresh());
  slice(weight.detach(), 0, 3, 9).assign(zeros({6, 70}));
  CHECK(is_fresh());
  add_into(weight, ones({80, 70}));
  CHECK(is_fresh());
  weight.mutable_span<float>()[17] = 5;
  CHECK(is_fresh());
}

TEST_CASE("linear has the same gradients with a kept form as with one that is made anew") {
  Generator generator(5);
  const Tensor weight = random_normal({80, 70}, 0, 1, generator).require_grad();
  const Tensor x = random_normal({10, 70}, 0, 1, generator).require_grad();
  const Tensor weights = random_normal({10, 80}, 0, 1, generator);
  auto gradients = [&](const Tensor& w) {
    return grad({sum(linear(x * x, w) * weights)}, {x, weight});
  };
  const auto anew = gradients(weight * 1), kept = gradients(weight);
  for (size_t i = 0; i < kept.size(); ++i)
    CHECK(max(abs(kept[i] - anew[i])).item() < 1e-5 * max(abs(anew[i])).item());
}
