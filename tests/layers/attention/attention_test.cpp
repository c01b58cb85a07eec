#include "layers/attention/attention.h"

#include <algorithm>
#include <cmath>

#include "layers/attention/local_attention.h"
#include "layers/attention/multi_head_attention.h"
#include "tests/core/helpers.h"
#include "tests/layers/layer_check.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

using Inputs = const std::vector<Tensor>&;
using Vector = std::vector<double>;

/// A matrix of the definitions below.
struct Rows {
  explicit Rows(const Tensor& x)
      : columns(x.size(-1)), values(contiguous(x.detach()).to_vector<double>()) {}
  Vector operator[](int64_t row) const {
    const auto begin = values.begin() + row * columns;
    return {begin, begin + columns};
  }
  int64_t size() const { return columns == 0 ? 0 : std::ssize(values) / columns; }

  int64_t columns;
  Vector values;
};

double dot(const Vector& a, const Vector& b) {
  double total = 0;
  for (size_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
  return total;
}

Vector times(const Tensor& matrix, const Vector& x) {
  Vector y;
  const Rows rows(matrix);
  for (int64_t i = 0; i < rows.size(); ++i) y.push_back(dot(rows[i], x));
  return y;
}

/// Attention by its definition, a query and a key at a time: queries (queries, …), keys (keys, …),
/// values (keys, …); `score(i, j)`, `sees(i, j)`, `factor(i, j)` of the weight.
struct Plain {
  std::function<double(int64_t, int64_t)> score;
  std::function<bool(int64_t, int64_t)> sees = [](int64_t, int64_t) { return true; };
  std::function<double(int64_t, int64_t)> factor = [](int64_t, int64_t) { return 1.0; };

  /// All weights, then all outputs.
  Vector operator()(int64_t queries, const Tensor& values) const {
    const Rows v(values);
    Vector weights, outputs;
    for (int64_t i = 0; i < queries; ++i) {
      Vector row(static_cast<size_t>(v.size()), 0.0), output(static_cast<size_t>(v.columns), 0.0);
      double total = 0;
      for (int64_t j = 0; j < v.size(); ++j)
        if (sees(i, j)) total += row[static_cast<size_t>(j)] = std::exp(score(i, j));
      for (int64_t j = 0; j < v.size(); ++j) {
        double& weight = row[static_cast<size_t>(j)];
        if (weight != 0) weight *= factor(i, j) / total;
        for (size_t n = 0; n < output.size(); ++n) output[n] += weight * v[j][n];
      }
      weights.insert(weights.end(), row.begin(), row.end());
      outputs.insert(outputs.end(), output.begin(), output.end());
    }
    weights.insert(weights.end(), outputs.begin(), outputs.end());
    return weights;
  }
};

/// Weights and outputs of the first sentence of the batch.
Vector first_of(const AttentionOutput& a) {
  return joined({a.weights[0], a.output[0]}).to_vector<double>();
}

void check_close(const Vector& a, const Vector& b, double tolerance = 1e-12) {
  REQUIRE(a.size() == b.size());
  double difference = 0;
  for (size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(a[i] - b[i]) <= difference)) difference = std::abs(a[i] - b[i]);
  CHECK(difference <= tolerance);
}

Tensor first(const Tensor& x) { return x[0]; }

ScoreFunction distance = [](const Tensor& q, const Tensor& k) {
  return -sum((q - k) * (q - k), {-1});
};

constexpr int64_t queries = 5, keys = 7, size = 3;
const Tensor q = irregular({2, queries, size}, 1), k = irregular({2, keys, size}, 2),
             v = irregular({2, keys, 4}, 3);

}  // namespace

TEST_CASE("every score is its equation, for each query and key alone") {
  Generator generator(1);
  const Rows qs(first(q)), ks(first(k));
  auto check = [&](Attention attention, auto score) {
    attention = as_float64(attention);
    const Plain plain{[&](int64_t i, int64_t j) { return score(attention, qs[i], ks[j], j); }};
    check_close(first_of(attention(q, k, v)), plain(queries, first(v)));
  };
  using A = const Attention&;
  using V = const Vector&;
  check(Attention(Score::dot, 3, 3, generator), [](A, V q, V k, int64_t) { return dot(q, k); });
  check(Attention(Score::scaled_dot, 3, 3, generator),
        [](A, V q, V k, int64_t) { return dot(q, k) / std::sqrt(3.0); });
  check(Attention(Score::general, 3, 3, generator),
        [](A a, V q, V k, int64_t) { return dot(q, times(a.key->weight, k)); });
  check(Attention(Score::additive, 3, 3, generator, {.additive_size = 5}),
        [](A a, V q, V k, int64_t) {
          const Vector x = times(a.query->weight, q), y = times(a.key->weight, k);
          const Vector w = a.v.to_vector<double>();
          double total = 0;
          for (size_t n = 0; n < w.size(); ++n) total += w[n] * std::tanh(x[n] + y[n]);
          return total;
        });
  check(Attention(Score::location, 3, 3, generator, {.places = 9}),
        [](A a, V q, V, int64_t j) { return times(a.query->weight, q)[static_cast<size_t>(j)]; });
  check(Attention(distance, 3, 3, generator), [](A, V q, V k, int64_t) {
    double total = 0;
    for (size_t n = 0; n < q.size(); ++n) total -= (q[n] - k[n]) * (q[n] - k[n]);
    return total;
  });
}

TEST_CASE("local-m sees a window around the query's own position, local-p around a predicted one") {
  Generator generator(2);
  const Rows qs(first(q)), ks(first(k));
  const std::vector<int64_t> lengths{6, 3};
  const Mask mask = Mask::lengths(lengths, keys);
  const auto score = [&](const Attention& a, int64_t i, int64_t j) {
    return dot(qs[i], times(a.key->weight, ks[j]));
  };
  const Attention m = as_float64(
      Attention(Score::general, 3, 3, generator, {.focus = Focus::local_m, .window = 2}));
  for (const int64_t at : {0, 3, 20}) {
    const Plain plain{[&](int64_t i, int64_t j) { return score(m, i, j); },
                      [&](int64_t i, int64_t j) { return j < 6 && std::abs(j - i - at) <= 2; }};
    check_close(first_of(m.attend(q, m.prepare(k, v, mask), mask, at)), plain(queries, first(v)));
  }

  const Attention p = as_float64(
      Attention(Score::general, 3, 3, generator, {.focus = Focus::local_p, .window = 3}));
  const auto centre = [&](int64_t i) {
    const Vector hidden = times(p.position->weight, qs[i]);
    const Vector w = p.position_v.to_vector<double>();
    double total = 0;
    for (size_t n = 0; n < w.size(); ++n) total += w[n] * std::tanh(hidden[n]);
    return 6 / (1 + std::exp(-total));
  };
  const Plain plain{[&](int64_t i, int64_t j) { return score(p, i, j); },
                    [&](int64_t i, int64_t j) {
                      return j < 6 && std::abs(static_cast<double>(j) - centre(i)) <= 3;
                    },
                    [&](int64_t i, int64_t j) {
                      const double d = static_cast<double>(j) - centre(i), sigma = 1.5;
                      return std::exp(-d * d / (2 * sigma * sigma));
                    }};
  check_close(first_of(p(q, k, v, mask)), plain(queries, first(v)));
}

TEST_CASE("every head attends to its own part of what the projections give") {
  Generator generator(3);
  const Tensor x = irregular({2, queries, 6}, 1), y = irregular({2, keys, 4}, 2),
               z = irregular({2, keys, 5}, 3);
  const Mask mask = Mask::lengths(std::vector<int64_t>{4, 7}, keys);
  for (const bool bias : {true, false}) {
    MultiHeadAttention layer(6, 3, generator, {.key_size = 4, .value_size = 5, .bias = bias});
    for (Dense* dense : {&layer.query, &layer.key, &layer.value, &layer.output})
      if (bias) dense->bias.assign(uniform({6}, 1, generator));
    layer = as_float64(layer);
    const AttentionOutput all = layer(x, y, z, mask);
    const Rows qs(first(layer.query(x))), ks(first(layer.key(y)));
    Vector heads(static_cast<size_t>(queries) * 6);
    for (int64_t h = 0; h < 3; ++h) {
      const auto score = [&](int64_t i, int64_t j) {
        const Vector a = qs[i], b = ks[j];
        const auto n = static_cast<size_t>(2 * h);
        return (a[n] * b[n] + a[n + 1] * b[n + 1]) / std::sqrt(2.0);
      };
      const Plain plain{score, [](int64_t, int64_t j) { return j < 4; }};
      const Vector result =
          plain(queries, contiguous(slice(first(layer.value(z)), -1, 2 * h, 2 * h + 2)));
      const Vector weights = first(all.weights)[h].to_vector<double>();
      check_close(weights, {result.begin(), result.begin() + queries * keys});
      for (int64_t i = 0; i < queries; ++i)
        for (int64_t n = 0; n < 2; ++n)
          heads[static_cast<size_t>(i * 6 + 2 * h + n)] =
              result[static_cast<size_t>(queries * keys + i * 2 + n)];
    }
    check_close(first(all.output).to_vector<double>(),
                layer.output(tensor(heads, {queries, 6})).to_vector<double>());
    CHECK(mean(all.weights, {1}).shape() == Shape{2, queries, keys});
  }
}

TEST_CASE("keys that a decoder prepares one after the other serve as those prepared at once") {
  Generator generator(4);
  const MultiHeadAttention layer(6, 2, generator);
  const Tensor x = random_normal({3, 5, 6}, 0, 1, generator);
  const AttentionOutput whole = layer(x, x, x, Mask::causal(5, 5).unsqueeze(0));
  KeyValues past;
  for (int64_t t = 0; t < 5; ++t) {
    const Tensor newest = slice(x, 1, t, t + 1);
    const KeyValues more = layer.prepare(newest, newest);
    past = t == 0 ? more : past + more;
    const AttentionOutput step = layer.attend(newest, past);
    check_close(step.output.to_vector<double>(),
                slice(whole.output, 1, t, t + 1).to_vector<double>(), 1e-6);
    check_close(
        step.weights.to_vector<double>(),
        contiguous(slice(slice(whole.weights, 2, t, t + 1), 3, 0, t + 1)).to_vector<double>(),
        1e-6);
  }
}

TEST_CASE("a window of blocks gives what its mask gives, for any length and in every head") {
  const Mask padding = Mask::lengths(std::vector<int64_t>{17, 4}, 17);
  for (const int64_t time : {1, 4, 12, 17}) {
    const Shape shape{2, 3, time, 4};
    const Tensor q = irregular(shape, 1), k = irregular(shape, 2), v = irregular(shape, 3);
    const ScaledDotAttention whole;
    for (const bool padded : {false, true}) {
      if (padded && time != 17) continue;
      const Mask mask = padded ? padding.unsqueeze(1).unsqueeze(1) : Mask();
      for (const auto& sides : {std::pair{2, 0}, {0, 3}, {3, 3}, {5, 1}, {40, 40}}) {
        const int before = sides.first, after = sides.second;
        CAPTURE(time);
        CAPTURE(before);
        const AttentionOutput blocks = SlidingWindow{before, after}(q, k, v, mask);
        const Mask window = Mask::window(time, time, before, after);
        check_close(blocks.output.to_vector<double>(),
                    whole(q, k, v, mask & window).output.to_vector<double>());
        CHECK_FALSE(blocks.weights.defined());
      }
      for (const int64_t length : {1, 4, 5, 30}) {
        CAPTURE(time);
        CAPTURE(length);
        for (const bool causal : {false, true}) {
          Tensor sees = zeros({time, time});
          for (int64_t i = 0; i < time; ++i)
            for (int64_t j = 0; j < time; ++j)
              if ((j / length == i / length || j / length == i / length - 1) && (!causal || j <= i))
                sees.mutable_data<float>()[i * time + j] = 1;
          const AttentionOutput blocks = BlockAttention{length, {.causal = causal}}(q, k, v, mask);
          check_close(blocks.output.to_vector<double>(),
                      whole(q, k, v, mask & Mask::attend(sees, Mask::queries_keys))
                          .output.to_vector<double>());
        }
      }
    }
  }
}

TEST_CASE("a window or block longer than the sequence covers it, however long") {
  const Tensor q = irregular({2, 5, 4}, 1), k = irregular({2, 5, 4}, 2),
               v = irregular({2, 5, 4}, 3);
  const ScaledDotAttention whole;
  const std::vector<double> full = whole(q, k, v).output.to_vector<double>(),
                            causal = whole(q, k, v, Mask::causal(5, 5)).output.to_vector<double>();
  for (const int64_t size : {int64_t{5}, int64_t{1} << 40, INT64_MAX})
    for (const AttendFunction& attend : {AttendFunction(), AttendFunction(whole)}) {
      CAPTURE(size);
      CHECK(Mask::window(5, 5, size, size).attended().to_vector<float>() ==
            std::vector<float>(25, 1));
      check_close(SlidingWindow{size, size, attend}(q, k, v).output.to_vector<double>(), full);
      check_close(SlidingWindow{size, 0, attend}(q, k, v).output.to_vector<double>(), causal);
      for (const bool gradient : {true, false}) {
        const BlockAttentionOptions two_ways{.gradient = gradient, .attend = attend};
        const BlockAttentionOptions back{.causal = true, .gradient = gradient, .attend = attend};
        check_close(BlockAttention{size, two_ways}(q, k, v).output.to_vector<double>(), full);
        check_close(BlockAttention{size, back}(q, k, v).output.to_vector<double>(), causal);
      }
    }
  Generator generator(1);
  const Attention near(Score::scaled_dot, 4, 4, generator, {.focus = Focus::local_m, .window = 4});
  check_close(near(q, k, v).output.to_vector<double>(), full);
}

TEST_CASE("blocks may use any score, also one with parameters") {
  Generator generator(5);
  const Attention additive = as_float64(Attention(Score::additive, 3, 3, generator));
  const Tensor x = irregular({2, 9, 3}, 1);
  const AttendFunction attend = [&](const Tensor& q, const Tensor& k, const Tensor& v,
                                    const Mask& mask, Generator* dropout) {
    return additive(q, k, v, mask, dropout);
  };
  check_close(SlidingWindow{2, 1, attend}(x, x, x).output.to_vector<double>(),
              additive(x, x, x, Mask::window(9, 9, 2, 1).unsqueeze(0)).output.to_vector<double>());
}

TEST_CASE("without gradient, a block passes none to the block before it, and the same values") {
  const Tensor q = irregular({1, 6, 2}, 1), k = irregular({1, 6, 2}, 2).require_grad(),
               v = irregular({1, 6, 2}, 3).require_grad();
  const Tensor with = BlockAttention{3}(q, k, v).output;
  const Tensor without = BlockAttention{3, {.gradient = false}}(q, k, v).output;
  CHECK(with.to_vector<double>() == without.to_vector<double>());
  auto gradients = [&](const Tensor& y) {  // of what the second block saw
    return grad({sum(slice(y, 1, 3, 6) * irregular({1, 3, 2}, 4))}, {k, v},
                {.zero_if_unreached = true});
  };
  for (const Tensor& g : gradients(with)) CHECK(max(abs(slice(g, 1, 0, 3))).item() > 0);
  for (const Tensor& g : gradients(without)) {
    CHECK(max(abs(slice(g, 1, 0, 3))).item() == 0);
    CHECK(max(abs(slice(g, 1, 3, 6))).item() > 0);
  }
}

TEST_CASE("what attends to nothing gives zeros and passes gradients of zero, in every form") {
  Generator generator(6);
  const Tensor x = random_normal({2, 5, 4}, 0, 1, generator).require_grad();
  const Mask second_is_empty = Mask::lengths(std::vector<int64_t>{5, 0}, 5);
  auto check = [&](const auto& layer, const Mask& mask, const Mask& nothing) {
    const Tensor y = layer(x, x, x, mask, nullptr).output;
    const Tensor g = grad({sum(y * y)}, {x})[0];
    CHECK(max(abs(slice(g, 0, 1, 2))).item() == 0);
    CHECK(max(abs(slice(g, 0, 0, 1))).item() > 0);
    CHECK(std::isfinite(sum(g).item()));
    const Tensor none = layer(x, x, x, nothing, nullptr).output;
    CHECK(max(abs(none)).item() == 0);
    CHECK(max(abs(grad({sum(none * none)}, {x})[0])).item() == 0);
  };
  const Mask nothing = Mask::ignore(ones({2, 5}), Mask::batch_time);
  for (const Focus focus : {Focus::global, Focus::local_m, Focus::local_p})
    check(Attention(Score::general, 4, 4, generator, {.focus = focus, .window = 2}),
          second_is_empty, nothing);
  check(MultiHeadAttention(4, 2, generator, {.bias = false}), second_is_empty, nothing);
  check(ScaledDotAttention{}, second_is_empty.unsqueeze(1), nothing.unsqueeze(1));
  check(SlidingWindow{1, 2}, second_is_empty.unsqueeze(1), nothing.unsqueeze(1));
  check(BlockAttention{2}, second_is_empty.unsqueeze(1), nothing.unsqueeze(1));
}

TEST_CASE("multi-head attention gives the same bits under more padding, gradients included") {
  Generator generator(7);
  MultiHeadAttention layer(32, 4, generator);
  const std::vector<int64_t> lengths{3, 7, 0};
  const Tensor query = random_normal({3, 6, 32}, 0, 1, generator).require_grad();
  const Tensor source = random_normal({3, 7, 32}, 0, 1, generator);
  auto run = [&](int64_t time) {
    const Tensor noise = random_normal({3, time - 7, 32}, 50, 9, generator);
    const Tensor k = concat({source, noise}, 1).require_grad();
    const AttentionOutput a = layer(query, k, k, Mask::lengths(lengths, time));
    std::vector<Tensor> wrt = parameters(layer);
    wrt.insert(wrt.end(), {query, k});
    std::vector<Tensor> all = grad({sum(a.output * a.output)}, wrt);
    all.back() = slice(all.back(), 1, 0, 7);
    all.insert(all.end(), {a.output, slice(a.weights, 3, 0, 7)});
    return joined(all).to_vector<float>();
  };
  const auto shortest = run(7);
  CHECK(run(8) == shortest);
  CHECK(run(23) == shortest);
}

TEST_CASE("rows of a hundred thousand keys keep their precision in float32") {
  constexpr int64_t many = 100'000;
  Generator generator(8);
  const Tensor q = random_normal({1, 1, 8}, 0, 1, generator),
               k = random_normal({1, many, 8}, 0, 1, generator),
               v = random_normal({1, many, 2}, 1, 1, generator);
  const AttentionOutput a = ScaledDotAttention{}(q, k, v);
  auto exact = [](const Tensor& x) { return cast(x, DType::float64); };
  const AttentionOutput b = ScaledDotAttention{}(exact(q), exact(k), exact(v));
  CHECK(max(abs(exact(a.output) / b.output - 1)).item() < 1e-6);
  CHECK(max(abs(exact(a.weights) / b.weights - 1)).item() < 1e-5);
  CHECK(sum(exact(a.weights)).item() == doctest::Approx(1).epsilon(1e-6));
}

TEST_CASE("attention drops weights by its generator alone, and none without one") {
  Generator generator(9), a(1), b(1), c(2);
  const Tensor x = random_normal({2, 5, 4}, 0, 1, generator);
  auto check = [&](const auto& layer) {
    const AttentionOutput plain = layer(x, x, x, {}, nullptr), dropped = layer(x, x, x, {}, &a);
    CHECK(plain.output.to_vector<float>() ==
          layer(x, x, x, {}, nullptr).output.template to_vector<float>());
    CHECK(dropped.output.to_vector<float>() ==
          layer(x, x, x, {}, &b).output.template to_vector<float>());
    CHECK(dropped.output.to_vector<float>() !=
          layer(x, x, x, {}, &c).output.template to_vector<float>());
    CHECK(dropped.output.to_vector<float>() != plain.output.to_vector<float>());
    if (plain.weights.defined())  // what is given back is what the scores say
      CHECK(plain.weights.to_vector<float>() == dropped.weights.to_vector<float>());
    c = Generator(2);
    b = a = Generator(1);
  };
  for (const Focus focus : {Focus::global, Focus::local_m, Focus::local_p})
    check(Attention(Score::dot, 4, 4, generator, {.focus = focus, .dropout = 0.3}));
  check(MultiHeadAttention(4, 2, generator, {.attend = ScaledDotAttention{0.3}}));
  check(SlidingWindow{2, 2, ScaledDotAttention{0.3}});
  // What is kept is divided by the share that is kept.
  const Tensor even = ones({1, 1, 4000}), one = ones({1, 4000, 1});
  Generator g(3);
  CHECK(attend(even, one, {}, 0.25, &g).output.item() == doctest::Approx(1).epsilon(0.03));
}

TEST_CASE("first and second derivatives of every attention match finite differences") {
  Generator generator(10);
  const Mask mask = Mask::attend(tensor({{1, 0, 1, 0}, {0, 0, 0, 0}}), Mask::batch_time);
  const std::vector<Tensor> inputs{irregular({2, 2, 2}, 1), irregular({2, 4, 2}, 2),
                                   irregular({2, 4, 3}, 3)};
  auto both = [](const AttentionOutput& a) { return joined({a.output, a.weights}); };
  for (const Score score : {Score::dot, Score::scaled_dot, Score::general, Score::additive,
                            Score::location, Score::own})
    for (const Focus focus : {Focus::global, Focus::local_m, Focus::local_p}) {
      CAPTURE(static_cast<int>(score));
      CAPTURE(static_cast<int>(focus));
      Attention attention = as_float64(Attention(
          score, 2, 2, generator, {.additive_size = 3, .places = 4, .focus = focus, .window = 2}));
      attention.own = distance;
      check_gradients(attention, inputs,
                      [&](Inputs x) { return both(attention(x[0], x[1], x[2], mask)); });
    }
  const std::vector<Tensor> wide{irregular({2, 2, 4}, 1), irregular({2, 4, 2}, 2),
                                 irregular({2, 4, 3}, 3)};
  for (const Mask& m : {Mask(), mask, Mask::window(2, 4, 1, 1).unsqueeze(0)}) {
    MultiHeadAttention heads =
        as_float64(MultiHeadAttention(4, 2, generator, {.key_size = 2, .value_size = 3}));
    check_gradients(heads, wide, [&](Inputs x) { return both(heads(x[0], x[1], x[2], m)); });
  }
  const std::vector<Tensor> long_ones{irregular({1, 2, 5, 2}, 1), irregular({1, 2, 5, 2}, 2),
                                      irregular({1, 2, 5, 2}, 3)};
  const Mask padding = Mask::attend(tensor({{{{1, 1, 0, 1, 0}}}}));
  NoParameters nothing;
  for (const AttendFunction& attend :
       {AttendFunction(ScaledDotAttention{}), AttendFunction(SlidingWindow{1, 2}),
        AttendFunction(BlockAttention{2}),
        AttendFunction(BlockAttention{2, {.causal = true, .gradient = false}})})
    for (const Mask& m : {Mask(), padding}) {
      const auto f = [&](Inputs x) { return attend(x[0], x[1], x[2], m, nullptr).output; };
      const bool whole_gradient = attend.target<BlockAttention>() == nullptr ||
                                  attend.target<BlockAttention>()->options.gradient;
      if (whole_gradient) check_gradients(nothing, long_ones, f);
    }
}

TEST_CASE("attentions say what they expected and what they got") {
  Generator generator(11);
  const Tensor x = ones({2, 5, 4});
  CHECK(error_of([&] { MultiHeadAttention(12, 5, generator); }) ==
        "multi-head attention: expected heads that divide the size 12 (1, 2, 3, 4, 6, 12), got 5");
  CHECK(error_of([&] { MultiHeadAttention(4, 0, generator); }) ==
        "multi-head attention: expected heads that divide the size 4 (1, 2, 4), got 0");
  MultiHeadAttention heads(4, 2, generator);
  parameters(heads);
  CHECK(error_of([&] {
          heads(ones({2, 5, 3}), x, x);
        }) ==
        "multi-head attention: expected queries of shape (…, …, 4) for a weight (4, 4) "
        "'query.weight', got (2, 5, 3), in MultiHeadAttention");
  CHECK(error_of([&] {
          heads(x, ones({3, 5, 4}), x);
        }) ==
        "multi-head attention: expected keys of shape (2, …, 4) for a weight (4, 4) 'key.weight', "
        "got (3, 5, 4), in MultiHeadAttention");
  CHECK(error_of([&] {
          heads(x, x, ones({2, 6, 4}));
        }) ==
        "multi-head attention: expected values of shape (2, 5, 4) for a weight (4, 4) "
        "'value.weight', got (2, 6, 4), in MultiHeadAttention");
  const std::string mask_error =
      "multi-head attention: expected a mask of (batch, time) (2, 5), (queries, keys) (5, 5) or "
      "(batch, queries, keys) (2, 5, 5), got ";
  const std::string where = ", in MultiHeadAttention";
  for (const Shape& shape :
       {Shape{2, 6}, Shape{3, 5}, Shape{5}, Shape{2, 4, 5}, Shape{2, 3, 1, 5}, Shape{2, 5, 4}})
    CHECK(error_of([&] { heads(x, x, x, Mask::attend(ones(shape))); }) ==
          mask_error + shape.text() + where);
  for (const Shape& shape : {Shape{2, 5}, Shape{5, 5}})
    CHECK(error_of([&] { heads(x, x, x, Mask::attend(ones(shape))); }) ==
          mask_error + shape.text() +
              "; say what its axes mean: Mask::attend(ones, Mask::batch_time) or "
              "Mask::queries_keys" +
              where);
  CHECK(error_of([&] { heads(x, x, x, Mask::causal(4, 5)); }) ==
        mask_error + "(4, 5) of (queries, keys)" + where);
  const std::vector<int64_t> lengths{5, 3, 2};
  CHECK(error_of([&] { heads(x, x, x, Mask::lengths(lengths, 5)); }) ==
        mask_error + "(3, 5) of (batch, time)" + where);
  CHECK(error_of([&] {
          Mask::attend(full({2, 5}, -1e9));
        }) == "mask: expected ones and zeros, got -1000000000 in (2, 5)");
  const KeyValues prepared = heads.prepare(x, x);
  CHECK(error_of([&] {
          heads.attend(x, {prepared.keys, x});
        }) ==
        "multi-head attention: expected prepared keys and values of shape (batch, 2, keys, 2), "
        "got (2, 2, 5, 2) and (2, 5, 4), in MultiHeadAttention");

  CHECK(error_of([&] { Mask::window(3, 3, 1, -1); }) ==
        "mask: expected a window of at least 0 keys before and after, got 1 and -1");
  CHECK(error_of([&] {
          SlidingWindow{0, 0}(x, x, x);
        }) == "sliding window: expected at least 1 key before or after, got 0 and 0");
  CHECK(error_of([&] {
          SlidingWindow{2, -1}(x, x, x);
        }) == "sliding window: expected at least 1 key before or after, got 2 and -1");
  const BlockAttentionOptions whole{.attend = ScaledDotAttention{}};
  CHECK(error_of([&] { BlockAttention{0}(x, x, x); }) ==
        "block attention: expected blocks of at least 1 position, got 0");
  CHECK(error_of([&] {
          BlockAttention{2, whole}(x, ones({2, 6, 4}), ones({2, 6, 4}));
        }) ==
        "block attention: expected at most one key and one value for each query, got queries (2, "
        "5, 4), keys (2, 6, 4) and values (2, 6, 4)");
  CHECK(error_of([&] {
          BlockAttention{2, whole}(x, x, x, Mask::causal(5, 5));
        }) == "block attention: expected a mask of keys of shape (…, 1, 5), got (5, 5)");
  CHECK(error_of([&] {
          Attention(Score::dot, 4, 4, generator, {.focus = Focus::local_p, .window = 0});
        }) == "attention: expected a window of at least 1 for a local focus, got 0");
  CHECK(error_of([&] { Attention(Score::location, 4, 4, generator); }) ==
        "attention: expected at least 1 place for a location score, got 0");
  CHECK(
      error_of([&] { Attention(Score::location, 4, 4, generator, {.places = 3})(x, x, x); }) ==
      "attention: expected at most 3 keys, the places of the location score, got 5, in Attention");
  CHECK(error_of([&] {
          Attention(Score::dot, 4, 4, generator, {.focus = Focus::local_m, .window = -3});
        }) == "attention: expected a window of at least 1 for a local focus, got -3");
  CHECK(error_of([&] { MultiHeadAttention(0, 2, generator); }) ==
        "multi-head attention: expected a size of at least 1, got 0");
  CHECK(error_of([&] { Attention(Score::own, 4, 4, generator)(x, x, x); }) ==
        "attention: expected a score function f(q, k), got an empty one, in Attention");
  const ScoreFunction nothing = [](const Tensor&, const Tensor&) { return Tensor(); };
  CHECK(
      error_of([&] { Attention(nothing, 4, 4, generator)(x, x, x); }) ==
      "attention: expected scores of shape (2, 5, 5) of queries (2, 5, 4) and keys (2, 5, 4), got "
      "an undefined tensor, in Attention");
  const ScoreFunction wrong = [](const Tensor& q, const Tensor& k) { return q * k; };
  CHECK(
      error_of([&] { Attention(wrong, 4, 4, generator)(x, x, x); }) ==
      "attention: expected scores of shape (2, 5, 5) of queries (2, 5, 4) and keys (2, 5, 4), got "
      "(2, 5, 5, 4), in Attention");
  CHECK(error_of([&] { ScaledDotAttention{}(x, x, x, Mask::causal(4, 4)); }) ==
        "softmax: shapes (4, 4) and (2, 5, 5) do not broadcast: sizes 4 and 5 differ");
}

TEST_CASE("a mask of (queries, keys) is not taken for one of (batch, time) where sizes are equal") {
  Generator generator(12);
  const MultiHeadAttention heads(4, 2, generator);
  const Attention single(Score::general, 4, 4, generator);
  const Tensor x = random_normal({3, 3, 4}, 0, 1, generator);  // batch = queries = keys
  const Mask causal = Mask::causal(3, 3), padding = Mask::lengths(std::vector<int64_t>{1, 2, 3}, 3);
  CHECK(values(causal.attended()) == values(padding.attended()));
  for (const Mask& mask : {causal, padding}) {
    const Tensor weights = heads(x, x, x, mask).weights;
    const bool by_query = mask.axes() == Mask::queries_keys;
    for (int64_t b = 0; b < 3; ++b)
      for (int64_t i = 0; i < 3; ++i)
        for (int64_t j = 0; j < 3; ++j)
          CHECK((slice(slice(slice(weights, 0, b, b + 1), 2, i, i + 1), 3, j, j + 1)
                     .to_vector<float>()[0] > 0) == (j <= (by_query ? i : b)));
  }
  const Mask given = Mask::attend(causal.attended(), Mask::queries_keys);
  CHECK(values(single(x, x, x, given).weights) == values(single(x, x, x, causal).weights));
  CHECK(values(single(x, x, x, causal & padding).weights) ==
        values(single(x, x, x, padding & causal).weights));
  CHECK((causal & padding).shape() == Shape{3, 3, 3});
}

TEST_CASE("attentions refuse negative sizes") {
  Generator generator(13);
  CHECK(error_of([&] { Attention(Score::additive, 4, 4, generator, {.additive_size = -1}); }) ==
        "attention: expected sizes of at least 0 for queries, keys and the additive score, got 4, "
        "4 and -1");
  CHECK(error_of([&] { MultiHeadAttention(4, 2, generator, {.key_size = -2}); }) ==
        "multi-head attention: expected sizes of at least 0 for keys and values, got -2 and 0");
  CHECK(error_of([&] { Coverage(-1, generator); }) ==
        "coverage: expected a size of at least 0, got -1");
  CHECK(error_of([&] { TransformerEncoderLayer(4, 2, generator, {.feed_forward = -1}); }) ==
        "transformer: expected a hidden layer of at least 0, got -1");
}
