#include "core/core.h"
#include "core/tensor/random.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "tests/optim/golden.h"

using namespace gradus;

namespace {

struct Model {
  Tensor weight, bias;

  Model() {
    Generator generator(1);
    weight = random_normal({5, 3}, 0, 1, generator).require_grad();
    bias = zeros({3}).require_grad();
  }
  Tensor loss(const Tensor& x, const Tensor& y, Reduction reduction) const {
    return cross_entropy(matmul(x, weight) + bias, y, {.reduction = reduction});
  }
};

}  // namespace

TEST_CASE("the gradients of parts of a batch add up to those of the batch, then one step follows") {
  Generator generator(2);
  const int64_t rows = 12;
  const Tensor x = random_normal({rows, 5}, 0, 1, generator);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < rows; ++i) labels.push_back(generator.below(3));
  const Tensor y = tensor(labels, {rows});

  const Model whole, parts;
  Adam at_once({whole.weight, whole.bias}), accumulated({parts.weight, parts.bias});
  for (int step = 0; step < 3; ++step) {
    at_once.zero_grad();
    whole.loss(x, y, Reduction::mean).backward();
    const double norm = clip_gradients({{whole.weight, whole.bias}}, 0.1);
    at_once.step();

    accumulated.zero_grad();
    for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 5}, {5, 11}, {11, 12}}) {
      const Tensor loss =
          parts.loss(slice(x, 0, begin, end), slice(y, 0, begin, end), Reduction::sum);
      (loss / static_cast<double>(rows)).backward();  // adds to the gradients
    }
    CHECK(clip_gradients({{parts.weight, parts.bias}}, 0.1) == doctest::Approx(norm).epsilon(1e-5));
    accumulated.step();
  }
  CHECK(accumulated.state().at("0.step").item() == 3);
  CHECK(close(parts.weight.to_vector<double>(), whole.weight.to_vector<double>(), 1e-5, 1));
  CHECK(close(parts.bias.to_vector<double>(), whole.bias.to_vector<double>(), 1e-5, 1));
}
