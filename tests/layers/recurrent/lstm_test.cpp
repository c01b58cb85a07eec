#include "layers/recurrent/lstm.h"

#include <doctest/doctest.h>

#include "core/autograd/fused.h"
#include "core/ops/ops.h"
#include "layers/parameters.h"

using namespace gradus;

TEST_CASE(
    "an LSTM has the values and the gradients of its composition, also where rows end early") {
  Generator generator(4);
  for (const std::vector<int64_t>& lengths :
       {std::vector<int64_t>{}, std::vector<int64_t>{4, 2, 1}}) {
    for (int64_t hidden : {3, 16, 21}) {  // less than a batch of lanes, a whole one, and more
      LSTM lstm(2, hidden, generator, {.bidirectional = true});
      const Tensor x = random_normal({3, 4, 2}, 0, 1, generator).require_grad();
      const Tensor weights = random_normal({3, 4, 2 * hidden}, 0, 1, generator);
      const Tensor state_weights = random_normal({3, hidden}, 0, 1, generator);
      auto value_and_gradients = [&](bool composed) {
        const NoFusion guard(composed);
        const LSTMOutput out = lstm(x, lengths);
        const Tensor loss =
            sum(out.output * weights) + sum(out.states[0].c * state_weights) - sum(out.states[1].h);
        std::vector<Tensor> wanted = parameters(lstm);
        wanted.push_back(x);
        std::vector<Tensor> result = grad({loss}, wanted);
        result.push_back(out.output);
        return result;
      };
      const std::vector<Tensor> one_pass = value_and_gradients(false);
      const std::vector<Tensor> composed = value_and_gradients(true);
      for (size_t i = 0; i < one_pass.size(); ++i) {
        const double scale = max(abs(composed[i])).item();
        CHECK(max(abs(one_pass[i] - composed[i])).item() <= 2e-6 * scale);
      }
    }
  }
}

TEST_CASE("a cell's steps in one go are its single steps one after the other") {
  Generator generator(5);
  const LSTMCell cell(6, 20, generator);
  const Tensor x = random_normal({5, 3, 6}, 0, 1, generator).require_grad();
  const LSTMState first{random_normal({3, 20}, 0, 1, generator).require_grad(),
                        random_normal({3, 20}, 0, 1, generator).require_grad()};
  const Tensor weights = random_normal({5, 3, 20}, 0, 1, generator);
  const std::vector<Tensor> wrt{x, first.h, first.c, cell.weight_ih, cell.weight_hh, cell.bias};

  const LSTMSteps steps = cell.steps(cell.project(x), first);
  LSTMState state = first;
  std::vector<Tensor> hs;
  for (int64_t t = 0; t < 5; ++t) {
    state = cell(x[t], state);
    hs.push_back(state.h);
  }
  const auto in_one_go = grad({sum(steps.h * weights) + sum(steps.last.c)}, wrt);
  const auto one_by_one = grad({sum(stack(hs, 0) * weights) + sum(state.c)}, wrt);
  CHECK(max(abs(steps.h - stack(hs, 0))).item() < 1e-6);
  for (size_t i = 0; i < wrt.size(); ++i)
    CHECK(max(abs(in_one_go[i] - one_by_one[i])).item() < 1e-5 * max(abs(one_by_one[i])).item());
}
