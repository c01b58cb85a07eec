#include <algorithm>

#include "core/autograd/accumulate.h"
#include "tests/layers/layer_check.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

double largest_difference(const Tensor& a, const Tensor& b) {
  return max(abs(a.detach() - b.detach())).item();
}

Tensor doubled(const Tensor& x) { return x * 2; }

}  // namespace

TEST_CASE("Sequential is its layers one after the other, an LSTM and plain functions among them") {
  Generator generator(1);
  const Embedding embedding(9, 4, generator);
  const LSTM lstm(4, 3, generator, {.bidirectional = true});
  const LayerNorm norm(6);
  const Dense dense(6, 2, generator);
  Sequential model(embedding, lstm, norm, silu, doubled, dense,
                   [](const Tensor& x) { return tanh(x); });
  const Tensor ids = tensor(std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7, 8}, {2, 4});
  const Mask lengths = Mask::lengths(std::vector<int64_t>{4, 2}, 4);
  auto expected = [&](const Mask& given) {
    return tanh(dense(doubled(silu(norm(lstm(embedding(ids), given).output)))));
  };
  CHECK(largest_difference(model(ids, lengths), expected(lengths)) == 0);
  CHECK(largest_difference(model(ids), expected({})) == 0);
  CHECK(largest_difference(model(ids), model(ids, lengths)) > 0);

  std::vector<std::string> names;
  for (const Tensor& parameter : parameters(model)) names.push_back(parameter.name());
  CHECK(names == std::vector<std::string>{
                     "0.weight", "1.forward.0.weight_ih", "1.forward.0.weight_hh",
                     "1.forward.0.bias", "1.backward.0.weight_ih", "1.backward.0.weight_hh",
                     "1.backward.0.bias", "2.weight", "2.bias", "5.weight", "5.bias"});
}

TEST_CASE("Sequential hands the generator to dropout, also within an LSTM and within another") {
  Generator generator(1);
  const Tensor x = random_normal({2, 3, 50}, 0, 1, generator);
  auto check = [&](const auto& model) {
    Generator a(5), b(5);
    const Tensor dropped = model(x, &a);
    CHECK(largest_difference(dropped, model(x, &b)) == 0);
    CHECK(largest_difference(dropped, model(x, &b)) > 0);  // other numbers each time
    CHECK(largest_difference(dropped, model(x)) > 0);
    CHECK(largest_difference(model(x), model(x)) == 0);
  };
  check(Sequential(Dropout{0.5}, silu));
  check(Sequential(LSTM(50, 8, generator, {.layers = 2, .dropout = 0.5})));
  check(Sequential(silu, Sequential(Dropout{0.5}, silu)));
}

TEST_CASE("an LSTM drops what one layer hands to the next, and nothing after the last") {
  Generator generator(2), dice(3);
  const Tensor x = random_normal({2, 3, 5}, 0, 1, generator);
  const LSTM one(5, 8, generator, {.dropout = 0.5});
  CHECK(largest_difference(one(x, Mask(), &dice).output, one(x).output) == 0);
  const LSTM two(5, 8, generator, {.layers = 2, .dropout = 0.5});
  const LSTMOutput dropped = two(x, Mask(), &dice), whole = two(x);
  CHECK(largest_difference(dropped.states[0].h, whole.states[0].h) == 0);
  CHECK(largest_difference(dropped.states[1].h, whole.states[1].h) > 0);
  CHECK(min(abs(dropped.output.detach())).item() > 0);
}

TEST_CASE("dropout keeps a share of 1 − rate, scaled so that the mean stays") {
  Generator generator(4);
  const Tensor y = Dropout{0.25}(ones({100, 200}), &generator);
  const std::vector<float> values = y.to_vector<float>();
  const auto dropped = std::ranges::count(values, 0.0f);
  CHECK(dropped + std::ranges::count(values, 4.0f / 3) == 20'000);
  CHECK(static_cast<double>(dropped) / 20'000 == doctest::Approx(0.25).epsilon(0.04));
}

TEST_CASE("a sequential model of one is trained like any other") {
  Generator generator(5);
  Sequential model(LSTM(2, 8, generator), Dense(8, 1, generator));
  const Tensor x = random_normal({8, 5, 2}, 0, 1, generator);
  const Tensor target = sum(x, {2}, keepdims);
  auto loss = [&] {
    const Tensor error = model(x) - target;
    return mean(error * error);
  };
  const double before = loss().item();
  const std::vector<Tensor> all = parameters(model);
  for (int step = 0; step < 100; ++step) {
    const std::vector<Tensor> gradients = grad({loss()}, all);
    for (size_t i = 0; i < all.size(); ++i) add_into(Tensor(all[i]), gradients[i] * -0.2);
  }
  CHECK(loss().item() < before / 10);
}

TEST_CASE(
    "Sequential hands the mask and the generator to an encoder layer, and lengths to a layer") {
  Generator generator(6);
  const TransformerEncoderLayer encoder(4, 2, generator, {.dropout = 0.5});
  std::vector<int64_t> seen;
  const auto look = [&seen](const Tensor& x, const std::vector<int64_t>& lengths) {
    seen = lengths;
    return x;
  };
  const Sequential model(look, encoder, [](const Tensor& x, const Mask& mask) {
    return masked_fill(x, mask.unsqueeze(-1), 0);
  });
  const Tensor x = random_normal({2, 3, 4}, 0, 1, generator);
  const Mask mask = Mask::lengths(std::vector<int64_t>{3, 1}, 3);
  const auto expected = [&](Generator* dropout) {
    return masked_fill(encoder(x, mask, dropout), mask.unsqueeze(-1), 0);
  };
  CHECK(largest_difference(model(x, mask), expected(nullptr)) == 0);
  CHECK(seen == std::vector<int64_t>{3, 1});
  Generator a(5), b(5);
  const Tensor dropped = model(x, mask, &a);
  CHECK(largest_difference(dropped, expected(&b)) == 0);
  CHECK(largest_difference(dropped, model(x, mask)) > 0);
  model(x);
  CHECK(seen.empty());
  CHECK_THROWS_WITH_AS(model(x, Mask::attend(ones({2, 3}), Mask::batch_time)),
                       "sequential: expected a mask that was made of lengths, for a layer that "
                       "takes lengths, in Sequential",
                       Error);
}

TEST_CASE("Sequential sees a generator or a mask that a layer takes in another place") {
  using Generator_ = Generator*;
  const auto calls = [](auto layer) { return detail::Calls<decltype(layer)>(); };
  const auto rate_first = [](const Tensor& x, double, Generator_) { return x; };
  const auto generator_first = [](const Tensor& x, Generator_, const Mask&) { return x; };
  const auto right = [](const Tensor& x, const Mask&, Generator_) { return x; };
  const auto flag = [](const Tensor& x, bool) { return x; };
  CHECK(decltype(calls(rate_first))::hides_generator);
  CHECK(decltype(calls(generator_first))::hides_mask);
  CHECK(decltype(calls(right))::takes_generator);
  CHECK_FALSE(decltype(calls(right))::hides_generator);
  CHECK_FALSE(decltype(calls(right))::hides_mask);
  CHECK_FALSE(decltype(calls(flag))::takes_generator);  // a pointer would convert to a bool
  CHECK_FALSE(detail::Calls<LSTM>::hides_mask);
  CHECK_FALSE(detail::Calls<Dropout>::hides_generator);
}
