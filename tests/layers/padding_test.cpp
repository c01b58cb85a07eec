#include <cstring>

#include "tests/layers/layer_check.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

/// x (batch, time, size) with something in the padding that would be noticed.
Tensor padded(const Tensor& x, int64_t time, Generator& generator) {
  const Shape tail{x.size(0), time - x.size(1), x.size(2)};
  return concat({x, random_normal(tail, 100, 30, generator, x.dtype())}, 1);
}

template <class T>
bool same_bits(const Tensor& a, const Tensor& b) {
  const std::vector<T> x = a.to_vector<T>(), y = b.to_vector<T>();
  return a.shape() == b.shape() && std::memcmp(x.data(), y.data(), x.size() * sizeof(T)) == 0;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  return max(abs(a.detach() - b.detach())).item();
}

bool is_zero(const Tensor& x) { return max(abs(x.detach())).item() == 0; }

Tensor row(const Tensor& x, int64_t b) { return slice(x, 0, b, b + 1); }

const std::vector<int64_t> lengths{3, 7, 1, 0, 6};
constexpr int64_t batch = 5, longest = 7, size = 33, hidden = 20;

}  // namespace

TEST_CASE_TEMPLATE("a recurrent layer gives the same bits under more padding, gradients included",
                   Net, LSTM, GRU, RNN) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    Generator generator(3);
    for (const int64_t short_padding : {longest, longest + 3}) {
      Net net = in_dtype(Net(size, hidden, generator, {.layers = 2, .bidirectional = true}), dtype);
      const Tensor x = random_normal({batch, longest, size}, 0, 1, generator, dtype);
      auto run = [&](int64_t time) {
        const Tensor inputs = padded(x, time, generator).require_grad();
        const auto result = net(inputs, Mask::lengths(lengths, time));
        const Tensor y = slice(result.output, 1, 0, longest);
        if (time > longest) CHECK(is_zero(slice(result.output, 1, longest, time)));
        std::vector<Tensor> all = all_tensors(result);
        all[0] = y;
        Tensor loss = zeros({}, dtype);
        for (const Tensor& tensor : all) loss = loss + sum(tensor * tensor);
        std::vector<Tensor> wrt = parameters(net);
        wrt.push_back(inputs);
        std::vector<Tensor> gradients = grad({loss}, wrt);
        if (time > longest) CHECK(is_zero(slice(gradients.back(), 1, longest, time)));
        gradients.back() = slice(gradients.back(), 1, 0, longest);
        all.insert(all.end(), gradients.begin(), gradients.end());
        return joined(all);
      };
      const Tensor a = run(short_padding), b = run(19);
      CHECK((dtype == DType::float32 ? same_bits<float>(a, b) : same_bits<double>(a, b)));
    }
  }
}

TEST_CASE_TEMPLATE("a padded batch of a recurrent layer gives what its rows give one by one", Net,
                   LSTM, GRU, RNN) {
  Generator generator(4);
  const Net net(size, hidden, generator, {.layers = 2, .bidirectional = true});
  const Tensor x =
      padded(random_normal({batch, longest, size}, 0, 1, generator), longest + 2, generator);
  const auto together = net(x, Mask::lengths(lengths, longest + 2));
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t length = lengths[static_cast<size_t>(b)];
    CAPTURE(length);
    const auto alone = net(slice(row(x, b), 1, 0, length));
    const Tensor output = row(together.output, b);
    if (length > 0) CHECK(largest_difference(slice(output, 1, 0, length), alone.output) < 1e-5);
    CHECK(is_zero(slice(output, 1, length, longest + 2)));
    for (size_t i = 0; i < alone.states.size(); ++i)
      for (size_t k = 0; k < tensors_of(alone.states[i]).size(); ++k)
        CHECK(largest_difference(row(*tensors_of(together.states[i])[k], b),
                                 *tensors_of(alone.states[i])[k]) < 1e-5);
  }
}

TEST_CASE_TEMPLATE("the state of a row without time steps is its initial one, bit for bit", Net,
                   LSTM, GRU, RNN) {
  Generator generator(5);
  const Net net(size, hidden, generator, {.bidirectional = true});
  auto initial = net(zeros({batch, 1, size})).states;
  for (auto& state : initial)
    for (Tensor* x : tensors_of(state)) *x = random_normal(x->shape(), 0, 1, generator);
  const Tensor x = random_normal({batch, longest, size}, 0, 1, generator);
  const auto check = [&](const auto& result, int64_t b) {
    for (size_t i = 0; i < 2; ++i)
      for (size_t k = 0; k < tensors_of(initial[i]).size(); ++k)
        CHECK(same_bits<float>(row(*tensors_of(result.states[i])[k], b),
                               row(*tensors_of(initial[i])[k], b)));
    CHECK(is_zero(row(result.output, b)));
  };
  check(net(x, initial, Mask::lengths(lengths, longest)), 3);
  const std::vector<int64_t> none(batch, 0);
  const auto empty = net(x, initial, Mask::lengths(none, longest));
  CHECK(empty.output.shape() == Shape{batch, longest, 2 * hidden});
  for (int64_t b = 0; b < batch; ++b) check(empty, b);
}

TEST_CASE_TEMPLATE("a recurrent layer takes a batch of no rows and rows of no time steps", Net,
                   LSTM, GRU, RNN) {
  Generator generator(5);
  const Net net(3, 2, generator, {.layers = 2, .bidirectional = true});
  CHECK(net(zeros({0, 4, 3})).output.shape() == Shape{0, 4, 4});
  CHECK(net(zeros({0, 4, 3}), Mask::lengths({}, 4)).output.shape() == Shape{0, 4, 4});
  const auto result = net(zeros({2, 0, 3}));
  CHECK(result.output.shape() == Shape{2, 0, 4});
  CHECK(result.states.size() == 4);
}

TEST_CASE_TEMPLATE("attention gives the same bits under more padding, gradients included", T, float,
                   double) {
  for (const Score score : {Score::dot, Score::scaled_dot, Score::general, Score::additive}) {
    for (const int64_t queries : {1, 6}) {
      CAPTURE(static_cast<int>(score));
      CAPTURE(queries);
      Generator generator(6);
      constexpr DType dtype = dtype_of<T>();
      Attention attention = in_dtype(Attention(score, size, size, generator), dtype);
      const Tensor keys = random_normal({batch, longest, size}, 0, 1, generator, dtype);
      const Tensor query =
          random_normal({batch, queries, size}, 0, 1, generator, dtype).require_grad();
      auto run = [&](int64_t time) {
        const Tensor k = padded(keys, time, generator).require_grad();
        const auto result = attention(query, k, k, Mask::lengths(lengths, time));
        const Tensor loss = sum(result.output * result.output);
        std::vector<Tensor> wrt = parameters(attention);
        wrt.insert(wrt.end(), {query, k});
        std::vector<Tensor> all = grad({loss}, wrt, {.zero_if_unreached = true});
        if (time > longest) {
          CHECK(is_zero(slice(all.back(), 1, longest, time)));
          CHECK(is_zero(slice(result.weights, 2, longest, time)));
        }
        all.back() = slice(all.back(), 1, 0, longest);
        all.insert(all.end(), {result.output, slice(result.weights, 2, 0, longest)});
        return joined(all);
      };
      CHECK(same_bits<T>(run(longest), run(19)));
      CHECK(same_bits<T>(run(longest + 3), run(19)));
    }
  }
}

TEST_CASE("a masked batch of attention gives what its rows give one by one") {
  for (const Score score : {Score::dot, Score::scaled_dot, Score::general, Score::additive}) {
    CAPTURE(static_cast<int>(score));
    Generator generator(8);
    const Attention attention(score, size, size, generator);
    const Tensor keys = random_normal({batch, longest, size}, 0, 1, generator);
    const Tensor query = random_normal({batch, 4, size}, 0, 1, generator);
    const auto together = attention(query, keys, keys, Mask::lengths(lengths, longest));
    for (int64_t b = 0; b < batch; ++b) {
      const int64_t length = lengths[static_cast<size_t>(b)];
      const Tensor weights = row(together.weights, b), output = row(together.output, b);
      if (length == 0) {
        CHECK(is_zero(weights));
        CHECK(is_zero(output));
        continue;
      }
      const Tensor mine = slice(row(keys, b), 1, 0, length);
      const auto alone = attention(row(query, b), mine, mine);
      CHECK(largest_difference(output, alone.output) < 1e-5);
      CHECK(largest_difference(slice(weights, 2, 0, length), alone.weights) < 1e-5);
      if (length < longest) CHECK(is_zero(slice(weights, 2, length, longest)));
    }
  }
}

TEST_CASE("a query whose keys are all ignored passes gradients of zero, not NaN") {
  Generator generator(9);
  for (const Score score : {Score::dot, Score::scaled_dot, Score::general, Score::additive}) {
    Attention attention(score, 3, 3, generator);
    const Tensor q = random_normal({2, 1, 3}, 0, 1, generator).require_grad();
    const Tensor k = random_normal({2, 4, 3}, 0, 1, generator).require_grad();
    const Mask mask = Mask::attend(tensor({{1, 1, 0, 0}, {0, 0, 0, 0}}), Mask::batch_time);
    const auto g = grad({sum(attention(q, k, k, mask).output)}, {q, k});
    CHECK(is_zero(row(g[0], 1)));
    CHECK(is_zero(row(g[1], 1)));
    CHECK_FALSE(is_zero(row(g[0], 0)));
    const Mask nothing = Mask::ignore(ones({2, 4}), Mask::batch_time);
    for (const Tensor& gradient : grad({sum(attention(q, k, k, nothing).output)}, {q, k}))
      CHECK(is_zero(gradient));
  }
}

TEST_CASE("prepared keys serve every query, with or without those beyond the mask") {
  Generator generator(10);
  const Attention attention(Score::general, 3, 4, generator);
  const Tensor keys = random_normal({2, 5, 4}, 0, 1, generator);
  const Mask mask = Mask::lengths(std::vector<int64_t>{2, 3}, 5);
  const KeyValues all = attention.prepare(keys, keys),
                  attended = attention.prepare(keys, keys, mask);
  CHECK(all.keys.shape() == Shape{2, 5, 3});
  CHECK(attended.keys.shape() == Shape{2, 3, 3});
  for (int step = 0; step < 3; ++step) {
    const Tensor query = random_normal({2, 1, 3}, 0, 1, generator);
    const auto whole = attention(query, keys, keys, mask);
    for (const KeyValues& prepared : {all, attended}) {
      const auto a = attention.attend(query, prepared, mask);
      CHECK(largest_difference(a.output, whole.output) < 1e-6);
      CHECK(largest_difference(a.weights, whole.weights) < 1e-6);
    }
  }
}
