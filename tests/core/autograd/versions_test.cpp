#include <doctest/doctest.h>

#include <cmath>

#include "core/autograd/accumulate.h"
#include "core/autograd/autograd.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "tests/core/autograd/leaf.h"

using namespace gradus;
using namespace gradus::testing;

TEST_CASE(
    "a backward pass that would read a changed value names the op, the input and the remedy") {
  Tensor x = leaf({3, 1});
  x.set_name("x");
  const Tensor loss = sum(x * x);
  x.assign(tensor({10, 10}, DType::float64));
  CHECK(error_of([&] { loss.backward(); }) ==
        "backward: 'multiply' needs its input a, float64 (2) 'x', as it was in the forward pass, "
        "but it was changed in place since (version 2 instead of 1): run the backward pass before "
        "the change, or compute with a clone() of it");
}

TEST_CASE("a changed output is noticed by the rule that reads it, through any view") {
  const Tensor x = leaf({{0.1, 0.2}, {0.3, 0.4}});
  Tensor y = tanh(x);
  const Tensor loss = sum(y);
  transpose(y.detach()).assign(zeros({2, 2}, DType::float64));
  CHECK(error_of([&] {
          loss.backward();
        }).starts_with("backward: 'tanh' needs its output y, float64 (2, 2), as it was"));
}

TEST_CASE("a change that no rule reads is allowed") {
  const Tensor x = leaf({1, 2});
  Tensor b = leaf({5, 5});
  const Tensor y = x + b;
  b.assign(tensor({7, 7}, DType::float64));
  sum(y * 3).backward();
  CHECK(values(x.grad()) == Values{3, 3});
  CHECK(values(b.grad()) == Values{3, 3});

  // Only the product's other side is read for the one gradient that is wanted.
  Tensor w = leaf({2, 3});
  const Tensor product = w * x;
  const std::vector<Tensor> before = grad({sum(product)}, {w}, {.retain_graph = true});
  w.assign(tensor({0, 0}, DType::float64));
  CHECK(values(grad({sum(product)}, {w})[0]) == values(before[0]));
}

TEST_CASE("an update of a parameter between two losses' backward passes is noticed") {
  Tensor w = leaf({2});
  const Tensor first = sum(w * w), second = sum(w * w * w);
  first.backward();
  add_into(w, w.grad() * -0.5);
  CHECK(error_of([&] { second.backward(); }).find("changed in place") != std::string::npos);
}

TEST_CASE("each way of writing raises the version, reading does not") {
  Tensor x = zeros({2, 2});
  auto raises = [&](auto write) {
    const uint32_t before = x.version();
    write();
    return x.version() > before;
  };
  CHECK(raises([&] { x.assign(ones({2, 2})); }));
  CHECK(raises([&] { add_into(x, ones({2, 2})); }));
  CHECK(raises([&] { x.mutable_data<float>(); }));
  CHECK(raises([&] { x.mutable_span<float>(); }));
  CHECK(raises([&] { slice(x, 0, 0, 1).assign(ones({1, 2})); }));
  CHECK(raises([&] { add_matmul(ones({2, 2}), ones({2, 2}), x); }));
  CHECK_FALSE(raises([&] {
    x.data<float>();
    x.span<float>();
    x.to_vector<float>();
    x.detach();
    x.without_values();
    Tensor(x).text();
  }));
}

TEST_CASE("a value that no rule reads is let go when the forward pass is done with it") {
  const Tensor x = leaf_of(Values(1000, 0.5));
  Tensor y = x * 2, z = y + 1;  // the sum reads nothing, exp reads its own value
  const std::weak_ptr<const void> y_memory = y.storage(), z_memory = z.storage();
  const Tensor loss = sum(exp(z));
  y = {};
  z = {};
  CHECK(y_memory.expired());
  CHECK(z_memory.expired());
  loss.backward();
  CHECK(x.grad().to_vector<double>()[999] == doctest::Approx(2 * std::exp(2)));
}

TEST_CASE("a graph says what it keeps, and for which op") {
  const Tensor x = leaf_of(Values(1000, 0.5)), w = leaf_of(Values(1000, 2));
  const Tensor loss = sum(tanh(x * w) + 3);
  std::vector<std::string> kept;
  for (const KeptValue& k : kept_values(loss))
    kept.push_back(k.op + " " + k.operand + " " + k.shape.text() + (k.is_leaf ? " leaf" : ""));
  CHECK(kept == std::vector<std::string>{"tanh y (1000)", "multiply a (1000) leaf",
                                         "multiply b (1000) leaf"});
}

TEST_CASE(
    "a gradient takes the memory of a value that nobody else can see any more, and only then") {
  // squares(x) as an op that writes its gradient where x was, if it may.
  auto squares = [](const Tensor& x, const void*& memory) {
    return record({"squares", "x²", {{"2 · x · g", reads("x")}}}, (x * x).detach(), {x},
                  [&memory](const Backward& b) {
                    const double* from = b.input(0).data<double>();
                    const double* g = b.gradient.data<double>();
                    Tensor dx = b.room_for_gradient(0);
                    auto* to = dx.mutable_data<double>();
                    memory = to;
                    for (int64_t i = 0; i < dx.numel(); ++i) to[i] = 2 * from[i] * g[i];
                    return std::vector<Gradient>{dx};
                  });
  };
  const Tensor x = leaf_of(Values(1000, 3)), ones_of_x = ones_like(x);
  const void* memory = nullptr;
  const void* value = nullptr;
  Tensor loss;
  auto make = [&] {
    const Tensor y = x + 1;
    value = y.data<double>();
    loss = squares(y, memory);
    return y;
  };
  make();
  loss.backward(ones_of_x);
  CHECK(memory == value);

  make();
  loss.backward(ones_of_x, true);  // the graph is needed again
  CHECK(memory != value);
  loss.backward(ones_of_x);
  CHECK(memory == value);

  const Tensor held = make();
  loss.backward(ones_of_x);
  CHECK(memory != value);
  CHECK(values(held) == Values(1000, 4));

  loss = squares(x, memory);  // a leaf is its owner's
  loss.backward(ones_of_x);
  CHECK(memory != x.data<double>());
  CHECK(values(x) == Values(1000, 3));
  CHECK(values(x.grad()) == Values(1000, 4 * 8 + 6));
}

TEST_CASE("a rule that reads what its op does not list says so") {
  const Tensor x = leaf({1, 2});
  const Tensor y =
      record({"careless", "x²", {{"2 · x · g"}}}, (x * x).detach(), {x},
             [](const Backward& b) { return std::vector<Gradient>{b.gradient * b.input(0) * 2}; });
  CHECK(error_of([&] { sum(y).backward(); }) ==
        "backward: the rule of 'careless' reads its input x, float64 (2), which its Op does not "
        "list in the reads of a derivative");
}

TEST_CASE("each gradient is a tensor of its own") {
  const Tensor a = leaf({1, 2}), b = leaf({3, 4}), seed = tensor({5, 6}, DType::float64);
  (a + b).backward(seed);
  Tensor(a.grad()).assign(tensor({0, 0}, DType::float64));
  CHECK(values(b.grad()) == Values{5, 6});
  CHECK(values(seed) == Values{5, 6});
  Tensor(seed).assign(tensor({9, 9}, DType::float64));
  CHECK(values(b.grad()) == Values{5, 6});

  const Tensor stretched = leaf({1, 2, 3});
  sum(stretched).backward();
  CHECK(stretched.grad().is_contiguous());
  Tensor(stretched.grad()).assign(tensor({1, 2, 3}, DType::float64));  // not an expanded view
}

TEST_CASE("an in-place write reads all that it needs before it overwrites it") {
  auto numbered = [] { return reshape(arange(9, DType::float64), {3, 3}); };
  Tensor x = numbered();
  x.assign(transpose(x));
  CHECK(values(x) == Values{0, 3, 6, 1, 4, 7, 2, 5, 8});
  Tensor y = numbered();
  add_into(y, transpose(y));
  CHECK(values(y) == Values{0, 4, 8, 4, 8, 12, 8, 12, 16});
  for (const bool forwards : {true, false}) {
    Tensor z = arange(6, DType::float64);
    const Tensor low = slice(z, 0, 0, 5), high = slice(z, 0, 1, 6);
    (forwards ? Tensor(high) : Tensor(low)).assign(forwards ? low : high);
    CHECK(values(z) == (forwards ? Values{0, 0, 1, 2, 3, 4} : Values{1, 2, 3, 4, 5, 5}));
  }
  Tensor same = numbered();
  same.assign(same);
  CHECK(values(same) == values(numbered()));
}

TEST_CASE("writing into an expanded view is an error") {
  Tensor x = expand(tensor({1}), {3});
  CHECK(error_of([&] { x.assign(zeros({3})); }) ==
        "assign: cannot write into (3): it is expanded on axis 0, where all indices share one "
        "element; clone() it first");
  CHECK(error_of([&] { add_into(x, zeros({3})); }).starts_with("add_into: cannot write into (3)"));
}

TEST_CASE("an op may return its input, and a rule its gradient") {
  const Tensor x = leaf({1, 2});
  const Tensor reversed = record({"reverse", "x", {{"−g"}}}, x, {x}, [](const Backward& b) {
    return std::vector<Gradient>{-b.gradient};
  });
  CHECK_FALSE(reversed.is_same_as(x));
  sum(reversed * 3).backward();
  CHECK(values(x.grad()) == Values{-3, -3});
  const Tensor y = x * 2;  // already recorded: a node of its own is hung before it
  const Tensor again = record({"same", "x", {{"g"}}}, y, {y},
                              [](const Backward& b) { return std::vector<Gradient>{b.gradient}; });
  x.clear_grad();
  sum(again).backward();
  CHECK(values(x.grad()) == Values{2, 2});
}

TEST_CASE("the sum of a scalar is not an alias of it") {
  Tensor s = tensor(2);
  const Tensor total = sum(s), largest = max(s), average = mean(s), log = logsumexp(s);
  s.assign(tensor(7));
  CHECK(total.item() == 2);
  CHECK(largest.item() == 2);
  CHECK(average.item() == 2);
  CHECK(log.item() == 2);
}
