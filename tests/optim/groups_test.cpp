#include <cmath>

#include "core/tensor/error.h"
#include "core/tensor/random.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "tests/optim/golden.h"
#include "tests/optim/make.h"

using namespace gradus;
using nlohmann::json;

namespace {

Tensor leaf(const std::string& name, const Shape& shape) {
  const Tensor x = ones(shape).require_grad();
  x.set_name(name);
  x.set_grad(zeros(shape));
  return x;
}

}  // namespace

TEST_CASE("groups with rates and decays of their own follow one schedule as in PyTorch") {
  const json groups = golden("groups");
  REQUIRE(groups.at("cases").size() == 4);
  for (const json& item : groups.at("cases")) {
    CAPTURE(item.at("kind").get<std::string>());
    std::vector<ParameterGroup> listed;
    for (size_t i = 0; i < groups.at("shapes").size(); ++i) {
      const json& group = groups["groups"][i];
      const Shape shape(groups["shapes"][i].get<std::vector<int64_t>>());
      listed.push_back({.parameters = {to_tensor(groups["start"][i], shape).require_grad()},
                        .learning_rate_scale = group.value("learning_rate_scale", 1.0)});
      if (group.contains("weight_decay")) listed.back().weight_decay = group["weight_decay"];
    }
    Optimizer optimizer = make(item, listed);
    const Schedule schedule = cosine(optimizer.learning_rate, 8);
    for (size_t step = 0; step < groups.at("gradients").size(); ++step) {
      CAPTURE(step);
      optimizer.learning_rate = schedule(static_cast<int64_t>(step));
      for (size_t i = 0; i < listed.size(); ++i)
        listed[i].parameters[0].set_grad(
            to_tensor(groups["gradients"][step][i], listed[i].parameters[0].shape()));
      optimizer.step();
      for (size_t i = 0; i < listed.size(); ++i)
        CHECK(close(listed[i].parameters[0].to_vector<double>(), item["values"][step][i], 2e-6, 1));
    }
  }
}

TEST_CASE("decay_matrices_only: weights decay, biases and norms do not") {
  const std::vector<Tensor> parameters{leaf("weight", {2, 3}), leaf("bias", {3}),
                                       leaf("norm.weight", {3}), leaf("kernel", {2, 2, 2}),
                                       leaf("scale", {})};
  AdamW adamw(decay_matrices_only(parameters), {.learning_rate = 0.5, .weight_decay = 0.5});
  adamw.step();  // all gradients are zero
  for (const Tensor& parameter : parameters) {
    CAPTURE(parameter.name());
    for (double value : parameter.to_vector<double>())
      CHECK(value == (parameter.rank() < 2 ? 1 : 0.75));
  }
}

TEST_CASE("a model without biases, or with nothing else, can use decay_matrices_only") {
  const Tensor weight = leaf("weight", {2, 2}), bias = leaf("bias", {2});
  AdamW(decay_matrices_only({weight}), {.learning_rate = 1, .weight_decay = 0.5}).step();
  CHECK(weight.to_vector<double>() == std::vector<double>(4, 0.5));
  AdamW(decay_matrices_only({bias}), {.learning_rate = 1, .weight_decay = 0.5}).step();
  CHECK(bias.to_vector<double>() == std::vector<double>(2, 1));
}

TEST_CASE("the gradients of all groups are clipped by one norm") {
  const Tensor a = leaf("a", {2, 1}), b = leaf("b", {1});
  a.set_grad(tensor({{2}, {6}}));
  b.set_grad(tensor({9}));
  SGD sgd({{.parameters = {a}}, {.parameters = {b}, .learning_rate_scale = 0.5}},
          {.learning_rate = 1});
  CHECK(clip_gradients({{a, b}}, 1.1) == doctest::Approx(11));
  sgd.step();
  CHECK(close(a.to_vector<double>(), {0.8, 0.4}, 1e-6));
  CHECK(close(b.to_vector<double>(), {0.55}, 1e-6));
}

TEST_CASE("the state is by name: other groups in another order restore it to the same bits") {
  const Tensor a = leaf("a", {2, 2}), b = leaf("b", {3});
  auto train = [](Optimizer& by, const Tensor& x, const Tensor& y) {
    Generator generator(4);
    for (int i = 0; i < 3; ++i) {
      x.set_grad(random_normal(x.shape(), 0, 1, generator));
      y.set_grad(random_normal(y.shape(), 0, 1, generator));
      by.step();
    }
  };
  Adam adam({a, b});
  train(adam, a, b);
  Tensor c = leaf("a", {2, 2}), d = leaf("b", {3});
  c.assign(a);
  d.assign(b);
  Adam grouped({{.parameters = {d}}, {.parameters = {c}}});
  grouped.set_state(adam.state());
  train(adam, a, b);
  train(grouped, c, d);
  CHECK(a.to_vector<float>() == c.to_vector<float>());
  CHECK(b.to_vector<float>() == d.to_vector<float>());
}

TEST_CASE("a group's bad option, and a parameter in two groups, are named") {
  const Tensor a = leaf("a", {2}), b = leaf("b", {2});
  CHECK_THROWS_WITH_AS(
      Adam({{.parameters = {a}}, {.parameters = {b}, .learning_rate_scale = -1}}),
      "Adam: expected learning_rate_scale of group 1 to be finite and at least 0, got -1", Error);
  CHECK_THROWS_WITH_AS(
      AdamW({{.parameters = {a}, .weight_decay = std::nan("")}, {.parameters = {b}}}),
      "AdamW: expected weight_decay of group 0 to be finite and at least 0, got nan", Error);
  CHECK_THROWS_WITH_AS(SGD({{.parameters = {a}}, {.parameters = {b, a}}}),
                       "SGD: parameter 2, (2) 'a', is the same tensor as parameter 0: list it once",
                       Error);
  CHECK_THROWS_WITH_AS(SGD(std::vector<ParameterGroup>(2)),
                       "SGD: expected at least one parameter, got none", Error);
}
