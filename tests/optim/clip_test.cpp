#include "optim/clip.h"

#include <cmath>
#include <limits>

#include "core/tensor/error.h"
#include "tests/optim/golden.h"

using namespace gradus;
using nlohmann::json;

TEST_CASE("clipping scales gradients and returns their norm as PyTorch does") {
  const json cases = golden("clipping");
  REQUIRE(cases.size() == 5);
  const std::vector<Shape> shapes{{3, 7}, {5}, {}};
  for (const json& item : cases) {
    const double max_norm = item.at("max_norm");
    CAPTURE(max_norm);
    std::vector<Tensor> parameters;
    for (size_t i = 0; i < shapes.size(); ++i) {
      parameters.push_back(zeros(shapes[i]).require_grad());
      parameters[i].set_grad(to_tensor(item["before"][i], shapes[i]));
    }
    CHECK(clip_gradients(parameters, max_norm) ==
          doctest::Approx(item.at("norm").get<double>()).epsilon(1e-6));
    for (size_t i = 0; i < shapes.size(); ++i)
      CHECK(close(parameters[i].grad().to_vector<double>(), item["after"][i], 1e-6));
  }
}

TEST_CASE("a gradient that two parameters share is clipped once for each") {
  const std::vector<Tensor> parameters{zeros({2}).require_grad(), zeros({2}).require_grad()};
  sum(3 * (parameters[0] + parameters[1])).backward();
  CHECK(clip_gradients(parameters, 1) == doctest::Approx(6));
  for (const Tensor& parameter : parameters)
    for (double g : parameter.grad().to_vector<double>()) CHECK(g == doctest::Approx(0.5));
}

TEST_CASE("large float32 gradients have a norm, and an infinite max_norm only measures it") {
  const Tensor x = zeros({3}).require_grad(), without = zeros({5}).require_grad();
  x.set_grad(tensor({2e30, -1e30, 2e30}));
  CHECK(clip_gradients({{x, without}}, std::numeric_limits<double>::infinity()) ==
        doctest::Approx(3e30));
  CHECK(x.grad().to_vector<float>() == std::vector<float>{2e30f, -1e30f, 2e30f});
  CHECK(!without.grad().defined());
}

TEST_CASE("the first parameter with NaN or infinite gradients is named, and nothing is clipped") {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  const std::vector<Tensor> parameters{zeros({2}).require_grad(), zeros({2, 2}).require_grad(),
                                       zeros({1}).require_grad()};
  parameters[1].set_name("decoder.wh");
  parameters[0].set_grad(tensor({30, 40}));
  parameters[1].set_grad(tensor({{nan, 1}, {infinity, -infinity}}));
  parameters[2].set_grad(tensor({nan}));
  CHECK_THROWS_WITH_AS(clip_gradients(parameters, 1),
                       "clip_gradients: the gradient of parameter 1, (2, 2) 'decoder.wh', has no "
                       "finite norm: of its 4 elements 1 are NaN and 2 infinite",
                       Error);
  CHECK(parameters[0].grad().to_vector<double>() == std::vector<double>{30, 40});
}

TEST_CASE("a negative max_norm is refused") {
  CHECK_THROWS_WITH_AS(clip_gradients({}, -1),
                       "clip_gradients: expected max_norm of at least 0, got -1", Error);
  CHECK_THROWS_AS(clip_gradients({}, std::nan("")), Error);
}
