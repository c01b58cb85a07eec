#include "layers/attention/tiled_attention.h"

#include "core/autograd/fused.h"
#include "layers/attention/multi_head_attention.h"
#include "tests/core/helpers.h"
#include "tests/layers/layer_check.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

double difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  return a.numel() == 0 ? 0 : max(abs(a.detach() - b.detach())).item();
}

/// An output and its gradients in queries, keys and values.
std::vector<Tensor> all_of(const AttendFunction& attend, const Tensor& q, const Tensor& k,
                           const Tensor& v, const Mask& mask) {
  const Tensor y = attend(q, k, v, mask, nullptr).output;
  Generator generator(9);
  const Tensor seed = random_normal(y.shape(), 0, 1, generator, y.dtype());
  std::vector<Tensor> all = grad({y}, {q, k, v}, {}, {seed});
  all.push_back(y);
  return all;
}

Tensor normal(const Shape& shape, uint64_t seed, DType dtype = DType::float32) {
  Generator generator(seed);
  return random_normal(shape, 0, 1, generator, dtype).require_grad();
}

}  // namespace

TEST_CASE("attention in tiles gives the values and gradients of the composed one") {
  for (const DType dtype : {DType::float32, DType::float64})
    for (const auto& sizes : {std::pair{70, 70}, {70, 33}, {20, 90}, {1, 50}, {64, 32}}) {
      const int queries = sizes.first, keys = sizes.second;
      CAPTURE(queries);
      CAPTURE(keys);
      const Tensor q = normal({2, 3, queries, 8}, 1, dtype), k = normal({2, 3, keys, 8}, 2, dtype),
                   v = normal({2, 3, keys, 5}, 3, dtype);
      const Mask lengths = Mask::lengths(std::vector<int64_t>{keys - 7, 0}, keys);
      const Mask padding = lengths.unsqueeze(1).unsqueeze(1);
      const Mask any = Mask::attend(greater(normal({2, 1, queries, keys}, 4).detach(), 0));
      for (const bool causal : {false, true})
        for (const Mask& mask : {Mask(), padding, any, Mask::window(queries, keys, 9, 4)}) {
          const TiledAttention tiled{.span = {.causal = causal}, .queries = 32, .keys = 16};
          const auto in_tiles = all_of(tiled, q, k, v, mask);
          const NoFusion by_steps;
          const auto composed = all_of(tiled, q, k, v, mask);
          for (size_t i = 0; i < composed.size(); ++i)
            CHECK(difference(in_tiles[i], composed[i]) < (dtype == DType::float32 ? 1e-5 : 1e-13));
        }
    }
}

TEST_CASE("attention in tiles agrees at scores that exp could not take, and in long rows") {
  const Tensor q = (normal({1, 4, 8}, 1) * 300).detach().require_grad(), k = normal({1, 50, 8}, 2),
               v = normal({1, 50, 3}, 3);
  const auto tiled = all_of(TiledAttention{.queries = 2, .keys = 7}, q, k, v, {});
  const auto whole = all_of(ScaledDotAttention{}, q, k, v, {});
  for (size_t i = 0; i < whole.size(); ++i) CHECK(difference(tiled[i], whole[i]) < 1e-5);

  constexpr int64_t many = 100'000;
  const Tensor long_k = normal({1, many, 8}, 4), long_v = normal({1, many, 3}, 5) + 1.0,
               short_q = normal({1, 1, 8}, 6);
  auto exact = [](const Tensor& x) { return cast(x.detach(), DType::float64); };
  const Tensor y = TiledAttention{}(short_q, long_k, long_v).output;
  const Tensor z = ScaledDotAttention{}(exact(short_q), exact(long_k), exact(long_v)).output;
  CHECK(difference(exact(y), z) < 1e-6);
}

TEST_CASE("what attends to nothing gives zeros and gradients of zero in tiles, too") {
  const Tensor x = normal({2, 5, 4}, 1);
  const Mask second_is_empty = Mask::lengths(std::vector<int64_t>{5, 0}, 5).unsqueeze(1);
  for (const Tensor& part :
       all_of(TiledAttention{.queries = 2, .keys = 2}, x, x, x, second_is_empty)) {
    CHECK(max(abs(slice(part, 0, 1, 2))).item() == 0);
    CHECK(max(abs(slice(part, 0, 0, 1))).item() > 0);
  }
  const Mask nothing = Mask::ignore(ones({2, 1, 5}));
  for (const Tensor& part : all_of(TiledAttention{}, x, x, x, nothing))
    CHECK(max(abs(part)).item() == 0);
  CHECK(TiledAttention{}(zeros({2, 0, 4}), x, x).output.shape() == Shape{2, 0, 4});
  CHECK(max(abs(TiledAttention{}(x, zeros({2, 0, 4}), zeros({2, 0, 4})).output)).item() == 0);
}

TEST_CASE("the derivatives of tiles, and those of their gradients, match finite differences") {
  NoParameters nothing;
  const std::vector<Tensor> inputs{irregular({2, 5, 2}, 1), irregular({2, 6, 2}, 2),
                                   irregular({2, 6, 3}, 3)};
  const Mask mask = Mask::attend(tensor({{{1, 0, 1, 1, 0, 1}}, {{0, 0, 0, 0, 0, 0}}}));
  for (const bool causal : {false, true})
    for (const Mask& m : {Mask(), mask})
      check_gradients(nothing, inputs, [&](const std::vector<Tensor>& x) {
        return TiledAttention{.span = {.causal = causal}, .queries = 2, .keys = 3}(x[0], x[1], x[2],
                                                                                   m)
            .output;
      });
}

TEST_CASE("a span is its mask, whatever the tiles, in value, gradient and gradient of that") {
  NoParameters nothing;
  const Tensor q = normal({2, 37, 4}, 1, DType::float64), k = normal({2, 37, 4}, 2, DType::float64),
               v = normal({2, 37, 3}, 3, DType::float64);
  for (const AttentionSpan& span :
       {AttentionSpan{.before = 3, .after = 2}, AttentionSpan{.before = 0, .after = 9},
        AttentionSpan{.before = 5, .after = 0, .block = 5}, AttentionSpan{.after = 0},
        AttentionSpan{.before = 5, .after = 0, .block = 5, .causal = true}}) {
    Tensor sees = zeros({37, 37});
    for (int64_t i = 0; i < 37; ++i)
      for (int64_t j = 0; j < 37; ++j) {
        const int64_t b = i / span.block * span.block;
        if (j >= b - span.before && j < b + span.block + span.after && (!span.causal || j <= i))
          sees.mutable_data<float>()[i * 37 + j] = 1;
      }
    for (const auto& [queries, keys] : {std::pair{8, 8}, {64, 64}, {3, 16}}) {
      const auto tiled = all_of(TiledAttention{span, queries, keys}, q, k, v, {});
      const auto whole =
          all_of(ScaledDotAttention{}, q, k, v, Mask::attend(sees, Mask::queries_keys));
      for (size_t i = 0; i < whole.size(); ++i) CHECK(difference(tiled[i], whole[i]) < 1e-13);
    }
    const std::vector<Tensor> inputs{irregular({7, 2}, 1), irregular({7, 2}, 2),
                                     irregular({7, 2}, 3)};
    check_gradients(nothing, inputs, [&](const std::vector<Tensor>& x) {
      return TiledAttention{span, 2, 3}(x[0], x[1], x[2]).output;
    });
  }
}

TEST_CASE("heads may attend in tiles: the same output, and no weights") {
  Generator generator(3);
  MultiHeadAttention whole(12, 3, generator), tiled = whole;
  tiled.attend_head = TiledAttention{.queries = 4, .keys = 4};
  const Tensor x = normal({2, 9, 12}, 1), y = normal({2, 11, 12}, 2);
  const Mask mask = Mask::lengths(std::vector<int64_t>{11, 4}, 11);
  const AttentionOutput a = whole(x, y, y, mask), b = tiled(x, y, y, mask);
  CHECK(difference(a.output, b.output) < 1e-5);
  CHECK_FALSE(b.weights.defined());
  tiled.attend_head = TiledAttention{.span = {.causal = true}};
  CHECK(difference(tiled(x, x, x).output, whole(x, x, x, Mask::causal(9, 9).unsqueeze(0)).output) <
        1e-5);
}

TEST_CASE("attention in tiles says what it expected and what it got") {
  const Tensor x = ones({2, 5, 4});
  CHECK(error_of([&] {
          TiledAttention{}(x, ones({2, 5, 3}), x);
        }) ==
        "tiled attention: expected queries (…, queries, d), keys (…, keys, d) and values (…, keys, "
        "n), got (2, 5, 4), (2, 5, 3) and (2, 5, 4)");
  CHECK(error_of([&] {
          TiledAttention{}(x, ones({3, 5, 4}), x);
        }).find("(3, 5, 4)") != std::string::npos);
  CHECK(error_of([&] {
          TiledAttention{}(x, x, x, Mask::attend(ones({2, 5})));
        }).find("(2, 5) and (2, 5, 5)") != std::string::npos);
  CHECK(error_of([&] { TiledAttention{.queries = 0}(x, x, x); }) ==
        "tiled attention: expected tiles of at least 1 query and 1 key, got 0 and 256");
  CHECK(
      error_of([&] {
        TiledAttention{.span = {.before = -1}}(x, x, x);
      }).find("expected a span of at least 0 before and after, in blocks of at least 1, got -1") !=
      std::string::npos);
}
