#include "optim/optimizer.h"

#include "core/tensor/error.h"
#include "core/tensor/random.h"
#include "optim/clip.h"
#include "tests/optim/golden.h"
#include "tests/optim/make.h"

using namespace gradus;
using nlohmann::json;

namespace {

using Parameters = std::vector<Tensor>;

/// One of each kind, with all that it can remember.
std::vector<json> kinds() {
  return {{{"kind", "SGD"}, {"options", {{"momentum", 0.9}, {"nesterov", true}}}},
          {{"kind", "RMSprop"}, {"options", json::object()}},
          {{"kind", "Adam"}, {"options", {{"weight_decay", 0.1}}}},
          {{"kind", "AdamW"}, {"options", json::object()}}};
}

Tensor leaf(const Shape& shape, const std::string& name = "", DType dtype = DType::float32) {
  Generator generator(static_cast<uint64_t>(shape.numel()));
  const Tensor x = random_normal(shape, 0, 1, generator, dtype);
  x.require_grad();
  x.set_name(name);
  return x;
}

void set_random_gradients(const Parameters& parameters, Generator& generator) {
  for (const Tensor& p : parameters)
    p.set_grad(random_normal(p.shape(), 0, 1, generator, p.dtype()));
}

std::vector<double> values(const Parameters& parameters) {
  std::vector<double> result;
  for (const Tensor& p : parameters)
    for (double x : p.to_vector<double>()) result.push_back(x);
  return result;
}

}  // namespace

TEST_CASE("every optimiser, with every option, takes the steps that PyTorch's takes") {
  const json updates = golden("updates");
  REQUIRE(updates.at("cases").size() == 18);
  for (const DType dtype : {DType::float32, DType::float64})
    for (const json& item : updates.at("cases")) {
      CAPTURE(name_of(dtype));
      CAPTURE(item.at("kind").get<std::string>());
      CAPTURE(item.at("options").dump());
      Parameters parameters;
      for (size_t i = 0; i < updates.at("shapes").size(); ++i) {
        const Shape shape(updates["shapes"][i].get<std::vector<int64_t>>());
        parameters.push_back(to_tensor(updates["start"][i], shape, dtype).require_grad());
      }
      Optimizer optimizer = make(item, parameters);
      for (size_t step = 0; step < updates.at("gradients").size(); ++step) {
        CAPTURE(step);
        for (size_t i = 0; i < parameters.size(); ++i) {
          const json& gradient = updates["gradients"][step][i];
          parameters[i].clear_grad();
          if (!gradient.is_null())
            parameters[i].set_grad(to_tensor(gradient, parameters[i].shape(), dtype));
        }
        optimizer.step();
        for (size_t i = 0; i < parameters.size(); ++i)
          CHECK(close(parameters[i].to_vector<double>(),
                      item["values"][step][i].get<std::vector<double>>(), 1e-6, 1));
      }
    }
}

TEST_CASE("twenty steps of training give PyTorch's loss at every step") {
  const json training = golden("training");
  const Tensor x = to_tensor(training.at("x"), {32, 5});
  const Tensor y = tensor(training.at("y").get<std::vector<int64_t>>(), {32});
  REQUIRE(training.at("runs").size() == 4);
  for (const json& run : training.at("runs")) {
    CAPTURE(run.at("kind").get<std::string>());
    Parameters parameters;
    for (size_t i = 0; i < training.at("shapes").size(); ++i) {
      const Shape shape(training["shapes"][i].get<std::vector<int64_t>>());
      parameters.push_back(to_tensor(training["start"][i], shape).require_grad());
    }
    const Tensor &w1 = parameters[0], &b1 = parameters[1], &w2 = parameters[2], &b2 = parameters[3];
    Optimizer optimizer = make(run, parameters);
    std::vector<double> losses, norms;
    for (int step = 0; step < 20; ++step) {
      optimizer.zero_grad();
      const Tensor hidden = tanh(matmul(x, transpose(w1)) + b1);
      const Tensor loss = cross_entropy(matmul(hidden, transpose(w2)) + b2, y);
      loss.backward();
      losses.push_back(loss.item());
      norms.push_back(clip_gradients(parameters, training.at("max_norm")));
      optimizer.step();
    }
    CHECK(close(losses, run.at("losses"), 1e-5));
    CHECK(close(norms, run.at("norms"), 1e-4));
  }
}

TEST_CASE("saved and restored, every optimiser goes on to the same bits") {
  for (const json& kind : kinds()) {
    CAPTURE(kind.at("kind").get<std::string>());
    const Parameters parameters{leaf({3, 5}, "weight"), leaf({7}, "bias")};
    Optimizer optimizer = make(kind, parameters);
    Generator generator(5);
    auto train = [&](Optimizer& by, const Parameters& what) {
      for (int i = 0; i < 3; ++i) {
        set_random_gradients(what, generator);
        by.step();
      }
    };
    train(optimizer, parameters);
    const auto state = optimizer.state();
    const Parameters copies{leaf({3, 5}, "weight"), leaf({7}, "bias")};
    for (size_t i = 0; i < copies.size(); ++i) Tensor(copies[i]).assign(parameters[i]);

    const uint64_t seed = generator.state();
    train(optimizer, parameters);  // must not reach into the saved state
    generator.set_state(seed);
    Optimizer resumed = make(kind, copies);
    resumed.set_state(state);
    train(resumed, copies);
    CHECK(values(parameters) == values(copies));

    generator.set_state(seed);
    const Parameters forgetful{leaf({3, 5}), leaf({7})};
    Optimizer fresh = make(kind, forgetful);
    train(fresh, forgetful);
    CHECK(values(forgetful) != values(copies));
  }
}

TEST_CASE("the number of threads does not change a bit") {
  const int before = threads();
  for (const json& kind : kinds()) {
    std::vector<double> expected;
    for (const int count : {1, 2, 3}) {
      set_threads(count);
      const Parameters parameters{leaf({100'003}), leaf({11})};
      Optimizer optimizer = make(kind, parameters);
      Generator generator(1);
      for (int step = 0; step < 2; ++step) {
        set_random_gradients(parameters, generator);
        optimizer.step();
      }
      if (count == 1) expected = values(parameters);
      CHECK(values(parameters) == expected);
    }
  }
  set_threads(before);
}

TEST_CASE("the state names every moment after its parameter, or its position") {
  const Parameters parameters{leaf({2, 3}, "encoder.wx"), leaf({4})};
  const auto state = Adam(parameters).state();
  std::vector<std::string> names;
  for (const auto& [name, tensor] : state) names.push_back(name);
  CHECK(names == std::vector<std::string>{"1.first_moment", "1.second_moment", "1.step",
                                          "encoder.wx.first_moment", "encoder.wx.second_moment",
                                          "encoder.wx.step"});
  CHECK(state.at("encoder.wx.first_moment").shape() == Shape{2, 3});
  CHECK(state.at("encoder.wx.step").dtype() == DType::int64);
}

TEST_CASE("a state of other parameters is refused with all that is wrong, and changes nothing") {
  const Parameters parameters{leaf({2, 3}, "a"), leaf({4}, "b")};
  SGD optimizer(parameters, {.momentum = 0.9});
  Generator generator(2);
  set_random_gradients(parameters, generator);
  optimizer.step();
  auto state = optimizer.state();
  state["a.step"] = full({}, 9, DType::int64);
  state["a.velocity"] = zeros({3, 2});
  state["b.velocity"] = zeros({4}, DType::float64);
  state.erase("b.step");
  state["c.velocity"] = zeros({1});
  CHECK_THROWS_WITH_AS(optimizer.set_state(state),
                       "SGD: the state does not fit the parameters:\n"
                       "  different: 'a.velocity': expected float32 (2, 3), got float32 (3, 2)\n"
                       "  missing: 'b.step', int64 ()\n"
                       "  different: 'b.velocity': expected float32 (4), got float64 (4)\n"
                       "  unknown: 'c.velocity', float32 (1)",
                       Error);
  CHECK(optimizer.state().at("a.step").item() == 1);
}

TEST_CASE("strided and shared gradients are read, and left as they are") {
  const Parameters parameters{leaf({2, 3}), leaf({2, 3})};
  const auto before = values(parameters);
  sum(parameters[0] + parameters[1]).backward();
  parameters[1].set_grad(transpose(tensor({{1, 2}, {3, 4}, {5, 6}})));
  SGD(parameters, {.learning_rate = 0.5}).step();
  const double gradient[] = {1, 1, 1, 1, 1, 1, 1, 3, 5, 2, 4, 6};
  const auto after = values(parameters);
  for (size_t i = 0; i < after.size(); ++i)
    CHECK(after[i] == doctest::Approx(before[i] - 0.5 * gradient[i]).epsilon(1e-6));
  CHECK(parameters[1].grad().to_vector<double>() == std::vector<double>{1, 3, 5, 2, 4, 6});
  CHECK(parameters[0].grad().to_vector<double>() == std::vector<double>(6, 1));
}

TEST_CASE("the learning rate may change between steps, and zero_grad clears the gradients") {
  const Tensor x = full({}, 1).require_grad();
  SGD optimizer({x}, {.learning_rate = 0.5});
  (x * 1).backward();
  optimizer.step();
  CHECK(x.item() == 0.5);
  optimizer.learning_rate = 0.25;
  optimizer.step();
  CHECK(x.item() == 0.25);
  optimizer.zero_grad();
  CHECK(!x.grad().defined());
  CHECK(x.requires_grad());
}

TEST_CASE("a new optimiser is one formula") {
  const Tensor x = tensor({1, 2, 3}).require_grad();
  Optimizer signs("SignSGD", {x}, 0.5, {}, [](Parameter& parameter, double rate) {
    parameter.update<0>([=]<class T>(T g, T& p) { p -= T(rate) * T((g > 0) - (g < 0)); });
  });
  x.set_grad(tensor({-7, 0, 0.1}));
  signs.step();
  CHECK(x.to_vector<double>() == std::vector<double>{1.5, 2, 2.5});
}

TEST_CASE("parameters that cannot be optimised are named with the reason") {
  const Tensor a = leaf({2}, "a"), b = leaf({3});
  CHECK_THROWS_WITH_AS(Adam(Parameters{}), "Adam: expected at least one parameter, got none",
                       Error);
  CHECK_THROWS_WITH_AS(Adam({a, Tensor()}), "Adam: parameter 1 is undefined", Error);
  CHECK_THROWS_WITH_AS(Adam({a, b, a}),
                       "Adam: parameter 2, (2) 'a', is the same tensor as parameter 0: list it "
                       "once",
                       Error);
  CHECK_THROWS_WITH_AS(Adam({a, leaf({5}, "a")}),
                       "Adam: parameter 1, (5) 'a', has the name of parameter 0: set_name() one "
                       "of them",
                       Error);
  CHECK_THROWS_WITH_AS(SGD({zeros({2})}),
                       "SGD: parameter 0, (2), requires no gradient: call require_grad(), or leave "
                       "it out",
                       Error);
  CHECK_THROWS_WITH_AS(SGD({b * 2}),
                       "SGD: parameter 0, (3), is the result of 'multiply', not a leaf", Error);
  CHECK_THROWS_WITH_AS(SGD({transpose(zeros({2, 3})).require_grad()}),
                       "SGD: parameter 0, (3, 2), is a strided view: make a leaf of contiguous() "
                       "instead",
                       Error);
  Adam optimizer({a, b});
  CHECK_THROWS_WITH_AS(optimizer.step(),
                       "Adam: none of the 2 parameters has a gradient: call backward() before "
                       "step(), on a loss that depends on them",
                       Error);
}

TEST_CASE("an option outside its range is named with what was expected and given") {
  const Parameters list{leaf({2})};
  const double nan = std::nan("");
  CHECK_THROWS_WITH_AS(Adam(list, {.learning_rate = -1}),
                       "Adam: expected learning_rate to be finite and at least 0, got -1", Error);
  CHECK_THROWS_WITH_AS(Adam(list, {.beta1 = 1}), "Adam: expected beta1 in [0, 1), got 1", Error);
  CHECK_THROWS_WITH_AS(AdamW(list, {.beta2 = -0.5}), "AdamW: expected beta2 in [0, 1), got -0.5",
                       Error);
  CHECK_THROWS_AS(Adam(list, {.epsilon = -1e-9}), Error);
  CHECK_THROWS_AS(Adam(list, {.weight_decay = nan}), Error);
  CHECK_THROWS_AS(AdamW(list, {.weight_decay = -1}), Error);
  CHECK_THROWS_AS(RMSprop(list, {.learning_rate = nan}), Error);
  CHECK_THROWS_AS(RMSprop(list, {.alpha = 1.5}), Error);
  CHECK_THROWS_AS(RMSprop(list, {.epsilon = -1}), Error);
  CHECK_THROWS_AS(RMSprop(list, {.weight_decay = -1}), Error);
  CHECK_THROWS_AS(SGD(list, {.momentum = 1}), Error);
  CHECK_THROWS_AS(SGD(list, {.weight_decay = -1}), Error);
  CHECK_THROWS_WITH_AS(SGD(list, {.nesterov = true}),
                       "SGD: expected a momentum above 0 for nesterov, got 0", Error);
  SGD optimizer(list);
  list[0].set_grad(ones({2}));
  optimizer.learning_rate = nan;
  CHECK_THROWS_AS(optimizer.step(), Error);
}
