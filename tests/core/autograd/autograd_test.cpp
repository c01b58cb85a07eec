#include "core/autograd/autograd.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/core.h"
#include "core/tensor/random.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;
using Values = std::vector<double>;

namespace {
Tensor leaf(const NestedList& values) { return tensor(values, DType::float64).require_grad(); }
}  // namespace

TEST_CASE("backward fills the gradients of all leaves") {
  const Tensor a = leaf({1, 2}), b = leaf({3, 4}), constant = tensor({5, 6}, DType::float64);
  sum(a * b + constant).backward();
  CHECK(values(a.grad()) == Values{3, 4});
  CHECK(values(b.grad()) == Values{1, 2});
  CHECK_FALSE(constant.grad().defined());
}

TEST_CASE("a leaf's hook is called as soon as the last op that uses it is differentiated") {
  const Tensor a = leaf({1, 2}), b = leaf({3, 4}), unwatched = leaf({5, 6});
  std::string calls;
  const auto note = [&](const char* name) {
    return [&calls, name](const Tensor&) {
      calls += name;
      return Tensor();
    };
  };
  const Tensor h = sin(b) * unwatched;
  a.on_gradient(note("a")), b.on_gradient(note("b")), h.on_gradient(note("h"));
  sum(h * a * a).backward();
  CHECK(calls == "ahb");
  CHECK(values(a.grad()) == values(h * a * 2));
  CHECK(unwatched.grad().defined());
}

TEST_CASE("gradients of two backward passes add up until they are cleared") {
  const Tensor x = leaf({1, 2});
  sum(x * x).backward();
  const Tensor first = x.grad();
  sum(x * 3).backward();
  CHECK(values(x.grad()) == Values{5, 7});
  CHECK(values(first) == Values{2, 4});  // what was handed out does not change
  x.clear_grad();
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("backward takes the gradient that flows into a result of several elements") {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * x;
  CHECK(error_of([&] { y.backward(); }) ==
        "backward: expected a scalar, got (2); sum() it or pass the gradient");
  CHECK(error_of([&] { y.backward(ones({3}, DType::float64)); }) ==
        "backward: expected a gradient of float64 (2), got float64 (3)");
  CHECK(error_of([&] { y.backward(ones({2})); }) ==
        "backward: expected a gradient of float64 (2), got float32 (2)");
  y.backward(tensor({10, 100}, DType::float64));
  CHECK(values(x.grad()) == Values{20, 400});
}

TEST_CASE("grad returns gradients and leaves those of the leaves alone") {
  const Tensor x = leaf({1, 2}), y = leaf({3, 4});
  const Tensor middle = x * y, loss = sum(middle * middle);
  const std::vector<Tensor> gradients = grad({loss}, {middle, x, x});
  CHECK(values(gradients[0]) == Values{6, 16});
  CHECK(values(gradients[1]) == Values{18, 64});
  CHECK(values(gradients[2]) == Values{18, 64});
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("grad adds up several outputs, each with its seed") {
  const Tensor x = leaf({1, 2});
  const Tensor seed = tensor({10, 100}, DType::float64);
  CHECK(values(grad({x * x, sum(x * 3)}, {x}, {}, {seed, {}})[0]) == Values{23, 403});
  CHECK(error_of([&] {
          grad({sum(x)}, {x}, {}, {seed, seed});
        }) == "grad: expected a seed for each of 1 outputs, got 2");
}

TEST_CASE("derivatives can be taken again and again") {
  const Tensor x = leaf(2);
  Tensor y = pow(x, 5);
  Values derivatives;
  for (int order = 1; order <= 5; ++order) {
    y = grad({y}, {x}, {.create_graph = true})[0];
    derivatives.push_back(y.item());
  }
  CHECK(derivatives == Values{80, 160, 240, 240, 120});

  Tensor z = tanh(x);
  for (int order = 1; order <= 3; ++order) z = grad({z}, {x}, {.create_graph = true})[0];
  const double t = std::tanh(2), slope = 1 - t * t;
  CHECK(z.item() == doctest::Approx(slope * (6 * t * t - 2)).epsilon(1e-12));
}

TEST_CASE("a diamond passes each gradient once along every path") {
  const Tensor x = leaf(3);
  Tensor y = x;
  for (int i = 0; i < 40; ++i) y = y + y;  // 2⁴⁰ paths
  y.backward();
  CHECK(x.grad().item() == std::pow(2.0, 40));

  const Tensor a = leaf(2);
  const Tensor left = a * a, right = exp(a);
  (left * right + left).backward();
  CHECK(a.grad().item() == doctest::Approx(4 * std::exp(2) + 4 * std::exp(2) + 4).epsilon(1e-14));
}

TEST_CASE("gradients added into a buffer equal those that are made whole") {
  Generator generator(1);
  const Tensor x = random_normal({6, 4}, 0, 1, generator, DType::float64).require_grad();
  const Tensor ids = tensor(std::vector<int64_t>{5, 0, 5}, {3});
  const auto loss = [&] {
    Tensor total = sum(slice(x, 0, 1, 3) * slice(x, 0, 4, 6));
    for (int64_t i = 0; i < 6; ++i) total = total + sum(exp(x[i]));
    total = total + sum(slice(x, 1, 0, 4, 3)) + sum(gather(x, ids) * slice(x, 0, 0, 3));
    return total + sum(matmul(transpose(x), x)) + sum(tanh(matmul(x, transpose(x))));
  };
  const Values added = values(grad({loss()}, {x})[0]);
  const Values whole = values(grad({loss()}, {x}, {.create_graph = true})[0]);
  for (size_t i = 0; i < added.size(); ++i)
    CHECK(added[i] == doctest::Approx(whole[i]).epsilon(1e-13));
}

TEST_CASE("nothing is recorded inside NoGrad, which nests") {
  const Tensor x = leaf(1);
  {
    const NoGrad outer;
    { const NoGrad inner; }
    CHECK_FALSE((x * 2).requires_grad());
    const NoGrad inactive(false);
    CHECK_FALSE((x * 2).requires_grad());
  }
  CHECK((x * 2).requires_grad());
}

TEST_CASE("detach cuts a path") {
  const Tensor x = leaf(3);
  (x * x.detach()).backward();
  CHECK(x.grad().item() == 3);
}

TEST_CASE("a hook sees the complete gradient and may replace it") {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * 2;
  Values seen;
  y.on_gradient([&](const Tensor& g) {
    seen = values(g);
    return Tensor();
  });
  y.on_gradient([](const Tensor& g) { return g * 10; });
  x.on_gradient([](const Tensor& g) { return g + 1; });
  sum(y + y * y).backward();
  CHECK(seen == Values{5, 9});
  CHECK(values(x.grad()) == Values{101, 181});
  CHECK(error_of([] { tensor(1).on_gradient([](const Tensor& g) { return g; }); }) ==
        "on_gradient: () does not require a gradient");
}

TEST_CASE("a backward pass releases the graph unless it is asked to keep it") {
  const Tensor x = leaf(2);
  const Tensor y = x * x;
  y.backward({}, true);
  y.backward();
  CHECK(x.grad().item() == 8);
  CHECK(
      error_of([&] { y.backward(); }) ==
      "backward: the graph behind 'multiply' of shape () was released by an earlier backward pass; "
      "pass retain_graph = true to that one");
  CHECK(error_of([&] { grad({y * 2}, {x}); }).find("was released by an earlier backward pass") !=
        std::string::npos);
}

TEST_CASE("a released graph frees what it held") {
  const Tensor x = leaf({1, 2});
  Tensor y = x * x;
  const std::weak_ptr<Node> step = y.node();
  const Tensor loss = sum(exp(y));
  y = {};
  CHECK_FALSE(step.expired());
  loss.backward();
  CHECK(step.expired());
}

TEST_CASE("a chain of a million steps is built, run backward and freed") {
  const Tensor x = leaf(1);
  const auto chain = [&](auto step) {
    Tensor y = x;
    for (int i = 0; i < 1'000'000; ++i) y = step(y);
    return y;
  };
  chain([](const Tensor& y) { return -y; }).backward();
  CHECK(x.grad().item() == 1);

  std::weak_ptr<Node> first;
  chain([&](const Tensor& y) {  // freed without a backward pass
    const Tensor next = record("same", y.detach(), {y}, nullptr);
    if (first.expired()) first = next.node();
    return next;
  });
  CHECK(first.expired());
}

TEST_CASE("a backward pass that reaches nothing says so") {
  const Tensor x = leaf({1, 2});
  CHECK(error_of([] { tensor(1).backward(); }) ==
        "backward: nothing to differentiate: () does not depend on any tensor that requires a "
        "gradient");
  CHECK(error_of([&] { sum(x.detach()).backward(); }).starts_with("backward: nothing to"));
  CHECK(error_of([&] { sum(where(x, 1, 2)).backward(); }) != "no error");
}

TEST_CASE("grad of a tensor that the outputs do not depend on says so, or is zero on request") {
  const Tensor x = leaf({1, 2}), y = leaf({3, 4});
  const Tensor loss = sum(x * x);
  CHECK(error_of([&] {
          grad({loss}, {x, y}, {.retain_graph = true});
        }) ==
        "grad: no gradient reaches wrt[1], (2): the outputs do not depend on it or were cut off "
        "by detach()");
  CHECK(values(grad({loss}, {y}, {.zero_if_unreached = true})[0]) == Values{0, 0});
}

TEST_CASE("errors and gradients know a tensor by its name") {
  const Tensor x = leaf({1, 2});
  x.set_name("encoder.weight");
  CHECK(x.name() == "encoder.weight");
  CHECK(error_of([&] { reshape(x, {3}); }) ==
        "reshape: expected a shape of 2 elements for (2) 'encoder.weight', got (3)");
  CHECK(error_of([] { tensor(1).set_name("x"); }) ==
        "set_name: only tensors that require a gradient have a name");
}

TEST_CASE("only float leaves can require a gradient") {
  CHECK(error_of([] { arange(2, DType::int64).require_grad(); }) ==
        "require_grad: (2) holds integers, which have no derivative");
  CHECK(error_of([] { exp(leaf(1)).require_grad(); }) ==
        "require_grad: () is the result of 'exp', not a leaf; detach() it first");
  CHECK(error_of([] {
          leaf({1, 2}).set_grad(ones({3}));
        }) == "set_grad: expected a gradient of float64 (2), got float32 (3)");
  CHECK(error_of([] { tensor(1).set_grad(ones({})); }) ==
        "set_grad: () does not require a gradient");
}

TEST_CASE("rules run only for the inputs that want a gradient") {
  const Tensor x = leaf(1), y = leaf(2);
  std::vector<bool> asked;
  const Tensor product = record("product", (x * y).detach(), {x, y}, [&](const Backward& b) {
    asked = {b.needs(0), b.needs(1)};
    return std::vector<Gradient>{b.gradient, b.gradient};
  });
  grad({product}, {y});
  CHECK(asked == std::vector<bool>{false, true});
}

TEST_CASE("a hook may not change the shape, nor a rule the number of gradients") {
  const Tensor x = tensor({1, 2});
  x.require_grad();
  x.on_gradient([](const Tensor&) { return ones({5}); });
  CHECK(error_of([&] { sum(x).backward(); }) ==
        "on_gradient: expected a gradient of float32 (2) from the hook, got float32 (5)");
  const Tensor y = tensor({1, 2});
  y.require_grad();
  const Tensor z = record("greedy", y.detach() * 2, {y}, [](const Backward& b) {
    return std::vector<Gradient>{b.gradient, b.gradient};
  });
  CHECK(error_of([&] { sum(z).backward(); }) ==
        "backward: the rule of 'greedy' gave 2 gradients for 1 inputs");
}
