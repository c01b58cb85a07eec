#include <cstring>

#include "core/autograd/fused.h"
#include "core/trace/trace.h"
#include "tests/core/helpers.h"
#include "tests/layers/layer_check.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

double largest(const Tensor& x) { return max(abs(x.detach())).item(); }

/// Random states of the batch, one for each layer and direction.
template <class Cell>
auto random_states(const std::vector<Cell>& cells, int64_t count, int64_t batch,
                   Generator& generator) {
  std::vector<decltype(cells[0].initial(batch))> states;
  for (int64_t i = 0; i < count; ++i) {
    states.push_back(cells[0].initial(batch));
    for (Tensor* x : tensors_of(states.back()))
      *x = random_normal(x->shape(), 0, 1, generator, x->dtype());
  }
  return states;
}

}  // namespace

TEST_CASE_TEMPLATE(
    "a recurrent layer has the values and the gradients of its composition, also where rows end "
    "early",
    Net, LSTM, GRU, RNN, ReluRNN) {
  Generator generator(4);
  for (const Mask& mask : {Mask(), Mask::lengths(std::vector<int64_t>{4, 2, 1}, 4)}) {
    for (int64_t hidden : {1, 3, 16, 21}) {  // less than a batch of lanes, a whole one, and more
      Net net(2, hidden, generator, {.bidirectional = true});
      const Tensor x = random_normal({3, 4, 2}, 0, 1, generator).require_grad();
      const auto states = random_states(net.forward, 2, 3, generator);
      std::vector<Tensor> wrt = parameters(net);
      wrt.push_back(x);
      for (auto& state : states)
        for (const Tensor* h : tensors_of(state)) wrt.push_back(h->require_grad());
      std::vector<Tensor> weights;
      for (const Tensor& y : all_tensors(net(x, states, mask)))
        weights.push_back(random_normal(y.shape(), 0, 1, generator));
      auto value_and_gradients = [&](bool composed) {
        const NoFusion guard(composed);
        const std::vector<Tensor> outputs = all_tensors(net(x, states, mask));
        Tensor loss = zeros({});
        for (size_t i = 0; i < outputs.size(); ++i) loss = loss + sum(outputs[i] * weights[i]);
        std::vector<Tensor> result = grad({loss}, wrt);
        result.insert(result.end(), outputs.begin(), outputs.end());
        return result;
      };
      const std::vector<Tensor> one_pass = value_and_gradients(false);
      const std::vector<Tensor> composed = value_and_gradients(true);
      for (size_t i = 0; i < one_pass.size(); ++i)
        CHECK(largest(one_pass[i] - composed[i]) <= 2e-6 * std::max(1.0, largest(composed[i])));
    }
  }
}

TEST_CASE_TEMPLATE("a recurrent layer has the derivatives of finite differences, to second order",
                   Net, LSTM, GRU, RNN) {
  Generator generator(6);
  Net net = as_float64(Net(2, 2, generator, {.layers = 2, .bidirectional = true}));
  const Tensor x = random_normal({2, 3, 2}, 0, 1, generator, DType::float64).require_grad();
  const Mask mask = Mask::lengths(std::vector<int64_t>{3, 1}, 3);
  check_gradients(net, {x},
                  [&](const std::vector<Tensor>&) { return joined(all_tensors(net(x, mask))); });
}

TEST_CASE_TEMPLATE("a cell's steps in one go are its single steps one after the other", Cell,
                   LSTMCell, GRUCell, RNNCell) {
  Generator generator(5);
  Cell cell(6, 20, generator);
  const Tensor x = random_normal({5, 3, 6}, 0, 1, generator).require_grad();
  const auto first = random_states(std::vector<Cell>{cell}, 1, 3, generator)[0];
  const Tensor weights = random_normal({5, 3, 20}, 0, 1, generator);
  std::vector<Tensor> wrt = parameters(cell);
  wrt.push_back(x);
  for (const Tensor* h : tensors_of(first)) wrt.push_back(h->require_grad());

  const auto steps = cell.steps(cell.project(x), first);
  auto state = first;
  std::vector<Tensor> hs;
  for (int64_t t = 0; t < 5; ++t) {
    state = cell(x[t], state);
    hs.push_back(*tensors_of(state)[0]);
  }
  const auto in_one_go = grad({sum(steps.h * weights) + sum(*tensors_of(steps.last).back())}, wrt);
  const auto one_by_one = grad({sum(stack(hs, 0) * weights) + sum(*tensors_of(state).back())}, wrt);
  CHECK(largest(steps.h - stack(hs, 0)) < 1e-6);
  for (size_t i = 0; i < wrt.size(); ++i)
    CHECK(largest(in_one_go[i] - one_by_one[i]) < 1e-5 * largest(one_by_one[i]));
}

TEST_CASE_TEMPLATE("a recurrent layer computes the same bits inside a Trace as outside of it", Net,
                   LSTM, GRU, RNN) {
  Generator generator(7);
  Net net(3, 5, generator, {.layers = 2, .bidirectional = true});
  const Tensor x = random_normal({2, 4, 3}, 0, 1, generator).require_grad();
  const Mask mask = Mask::lengths(std::vector<int64_t>{4, 2}, 4);
  auto all = [&] {
    std::vector<Tensor> result = all_tensors(net(x, mask)), wrt = parameters(net);
    wrt.push_back(x);
    for (const Tensor& gradient : grad({sum(result[0] * result[0])}, wrt))
      result.push_back(gradient);
    return joined(result).to_vector<float>();
  };
  const std::vector<float> outside = all();
  Trace trace;
  const auto recording = trace.record();
  const std::vector<float> inside = all();
  CHECK(std::memcmp(inside.data(), outside.data(), inside.size() * sizeof(float)) == 0);
}

TEST_CASE_TEMPLATE("a recurrent layer reads lengths off any mask of first positions", Net, LSTM,
                   GRU, RNN) {
  Generator generator(8);
  const Net net(3, 2, generator);
  const Tensor x = random_normal({3, 4, 3}, 0, 1, generator);
  const Mask ones = Mask::attend(tensor({{1, 1, 0, 0}, {0, 0, 0, 0}, {1, 1, 1, 1}}));
  const Mask lengths = Mask::lengths(std::vector<int64_t>{2, 0, 4}, 4);
  CHECK(values(net(x, ones).output) == values(net(x, lengths).output));
  CHECK(
      error_of([&] {
        net(x, Mask::attend(tensor({{1, 1, 0, 0}, {1, 0, 1, 0}, {1, 1, 1, 1}})));
      })
          .find(
              "expected a mask of the first positions of each row, got one that ignores time 1 of "
              "row 1 and attends to time 2") != std::string::npos);
  CHECK(error_of([&] {
          net(x, Mask::causal(3, 4));
        }).find("expected a mask of (batch, time) (3, 4), got (queries, keys) (3, 4)") !=
        std::string::npos);
}

TEST_CASE("a GRU with its update gate open keeps its state, and with it shut takes the candidate") {
  Generator generator(9);
  GRUCell cell(2, 3, generator);
  const Tensor x = random_normal({4, 2}, 0, 1, generator),
               h = random_normal({4, 3}, 0, 1, generator);
  const std::vector<Tensor> biases = split(cell.bias.detach(), 3, 0);
  cell.bias = concat({biases[0], full({3}, 100), biases[2]}, 0);
  CHECK(largest(cell(x, h) - h) < 1e-6);
  cell.bias = concat({full({3}, -100), full({3}, -100), biases[2]}, 0);  // and nothing of h
  const Tensor w = slice(cell.weight_ih, 0, 6, 9);
  CHECK(largest(cell(x, h) - tanh(linear(x, w, biases[2]))) < 1e-6);
}

TEST_CASE("an LSTM keeps its gates and not what they were made of") {
  Generator generator(7);
  const LSTMCell cell(8, 16, generator);
  const Tensor x = random_normal({5, 4, 8}, 0, 1, generator);
  for (const KeptValue& kept : kept_values(cell.steps(cell.project(x), cell.initial(4)).h))
    CHECK_FALSE((kept.op == "lstm" && kept.operand == "a"));
}
