// Kind: the ends of the number line. What lies beyond a length may be NaN or infinite, and changes
// nothing: values and gradients are those of zeros there.
#include <cmath>
#include <limits>

#include "core/autograd/fused.h"
#include "core/core.h"
#include "tests/layers/layer_check.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr int64_t batch = 4, longest = 5, size = 6;
const std::vector<int64_t> lengths{2, 5, 0, 4};

Mask lengths_mask() { return Mask::lengths(lengths, longest); }

/// (batch, longest, n) of random numbers, and `filling` beyond the lengths.
Tensor sequences(double filling, uint64_t seed, int64_t n = size) {
  Generator generator(seed);
  const Tensor x = random_normal({batch, longest, n}, 0, 1, generator);
  return where(unsqueeze(lengths_mask().attended(), -1), x, filling).detach().require_grad();
}

bool all_finite(const Tensor& x) {
  for (const double value : x.to_vector<double>())
    if (!std::isfinite(value)) return false;
  return true;
}

/// `run(filling)` gives an output, and what its sum of squares is differentiated by.
template <class Run>
void check_padding(const Run& run) {
  auto results = [&](double filling) -> std::pair<Tensor, Tensor> {
    const auto [output, inputs] = run(filling);
    return {output.detach(),
            joined(grad({sum(output * output)}, inputs, {.zero_if_unreached = true}))};
  };
  const auto [output, gradients] = results(0);
  CHECK(all_finite(output));
  CHECK(all_finite(gradients));
  for (const double filling : {nan, infinity, -infinity}) {
    CAPTURE(filling);
    const auto [other_output, other_gradients] = results(filling);
    CHECK(max(abs(other_output - output)).item() == 0);
    // The gradients of several paths into one tensor may be added in another order.
    CHECK(all_finite(other_gradients));
    CHECK(max(abs(other_gradients - gradients) / (1 + abs(gradients))).item() < 2e-6);
  }
}

std::vector<Tensor> with_parameters(auto& layer, std::vector<Tensor> inputs) {
  for (const Tensor& parameter : parameters(layer)) inputs.push_back(parameter);
  return inputs;
}

/// A loss leaves out what the padding gives.
Tensor seen(const Tensor& output) { return masked_fill(output, lengths_mask().unsqueeze(-1), 0); }

using Run = std::pair<Tensor, std::vector<Tensor>>;

const AttendFunction whole = ScaledDotAttention{},
                     in_tiles = TiledAttention{.queries = 2, .keys = 3};

}  // namespace

TEST_CASE("keys and values of NaN that no query attends to change nothing, for any score") {
  const ScoreFunction distance = [](const Tensor& q, const Tensor& k) {
    return sum((q - k) * (q - k), {-1}) * -0.1;
  };
  for (const Score score : {Score::dot, Score::scaled_dot, Score::general, Score::additive,
                            Score::location, Score::own})
    for (const Focus focus : {Focus::global, Focus::local_m, Focus::local_p})
      for (const int64_t queries : {int64_t{1}, 2 * longest})
        for (const bool by_query : {false, true}) {
          CAPTURE(static_cast<int>(score));
          CAPTURE(static_cast<int>(focus));
          CAPTURE(queries);
          Generator generator(1);
          const AttentionOptions options{.places = longest, .focus = focus, .window = 2};
          Attention attention = score == Score::own
                                    ? Attention(distance, size, size, generator, options)
                                    : Attention(score, size, size, generator, options);
          const Tensor q = random_normal({batch, queries, size}, 0, 1, generator).require_grad();
          const Mask mask =
              by_query ? lengths_mask() & Mask::attend(ones({queries, longest}), Mask::queries_keys)
                       : lengths_mask();
          check_padding([&](double filling) -> Run {
            const Tensor k = sequences(filling, 2), v = sequences(filling, 3);
            return {attention(q, k, v, mask).output, with_parameters(attention, {q, k, v})};
          });
          check_padding([&](double filling) -> Run {  // which were prepared without a mask
            const Tensor k = sequences(filling, 2), v = sequences(filling, 3);
            const KeyValues prepared{attention.key ? k * 2 : k, v};
            return {attention.attend(q, prepared, mask).output, {q, k, v}};
          });
        }
}

TEST_CASE(
    "keys and values of NaN that no query attends to change nothing, however it is computed") {
  const Mask of_keys = lengths_mask().unsqueeze(1);
  const std::pair<const char*, AttendFunction> functions[] = {
      {"whole", whole},
      {"tiles", in_tiles},
      {"window", SlidingWindow{1, 2}},
      {"window of another attention", SlidingWindow{1, 2, whole}},
      {"blocks", BlockAttention{2}},
      {"causal blocks", BlockAttention{2, {.causal = true}}},
      {"blocks without gradient", BlockAttention{2, {.gradient = false}}},
      {"blocks of another attention", BlockAttention{2, {.attend = whole}}}};
  for (const auto& [what, attend] : functions) {
    const std::string name = what;
    CAPTURE(name);
    const Tensor q = sequences(1, 4);
    check_padding([&, &attend = attend](double filling) -> Run {
      const Tensor k = sequences(filling, 5), v = sequences(filling, 6);
      return {attend(q, k, v, of_keys, nullptr).output, {q, k, v}};
    });
    for (const bool fused : {true, false}) {
      CAPTURE(fused);
      Generator generator(7);
      MultiHeadAttention heads(size, 2, generator, {.attend = attend});
      check_padding([&](double filling) -> Run {
        const NoFusion plain(!fused);
        const Tensor k = sequences(filling, 5), v = sequences(filling, 6);
        return {heads(q, k, v, lengths_mask()).output, with_parameters(heads, {q, k, v})};
      });
    }
  }
}

TEST_CASE("queries of NaN that see no key change nothing") {
  const Mask of_rows =
      Mask::attend(expand(unsqueeze(lengths_mask().attended(), -1), {batch, longest, longest}));
  Generator generator(8);
  Attention attention(Score::general, size, size, generator);
  Attention additive(Score::additive, size, size, generator);
  MultiHeadAttention whole_heads(size, 2, generator),
      tiles(size, 2, generator, {.attend = in_tiles});
  check_padding([&](double filling) -> Run {
    const Tensor q = sequences(filling, 9), k = sequences(1, 10);
    return {attention(q, k, k, of_rows).output, with_parameters(attention, {q, k})};
  });
  check_padding([&](double filling) -> Run {
    const Tensor q = sequences(filling, 9), k = sequences(1, 10);
    return {additive(q, k, k, of_rows).output, with_parameters(additive, {q, k})};
  });
  for (MultiHeadAttention* heads : {&whole_heads, &tiles})
    check_padding([&](double filling) -> Run {
      const Tensor q = sequences(filling, 9), k = sequences(1, 10);
      return {heads->operator()(q, k, k, of_rows).output, with_parameters(*heads, {q, k})};
    });
}

TEST_CASE("a padded sequence of NaN that attends to itself changes nothing") {
  Generator generator(11);
  MultiHeadAttention heads(size, 2, generator);
  Attention general(Score::general, size, size, generator);
  check_padding([&](double filling) -> Run {
    const Tensor x = sequences(filling, 12);
    return {seen(heads(x, x, x, lengths_mask()).output), with_parameters(heads, {x})};
  });
  check_padding([&](double filling) -> Run {
    const Tensor x = sequences(filling, 12);
    return {seen(general(x, x, x, lengths_mask()).output), with_parameters(general, {x})};
  });
  for (const bool norm_first : {true, false}) {
    CAPTURE(norm_first);
    TransformerEncoderLayer encoder(size, 2, generator, {.norm_first = norm_first});
    TransformerDecoderLayer decoder(size, 2, generator, {.norm_first = norm_first});
    check_padding([&](double filling) -> Run {
      const Tensor x = sequences(filling, 13);
      return {seen(encoder(x, lengths_mask())), with_parameters(encoder, {x})};
    });
    check_padding([&](double filling) -> Run {
      const Tensor x = sequences(filling, 13), memory = sequences(filling, 14);
      const Mask past = lengths_mask() & Mask::causal(longest, longest);
      return {seen(decoder(x, decoder.prepare(x, past), past,
                           decoder.cross.prepare(memory, memory, lengths_mask()), lengths_mask())
                       .output),
              with_parameters(decoder, {x, memory})};
    });
  }
}

TEST_CASE("modalities that are padded with NaN change nothing in a Fusion") {
  for (const Join join : {Join::concatenated, Join::gated}) {
    Generator generator(15);
    Fusion fusion(join, size, {3, 2}, 2, generator);
    check_padding([&](double filling) -> Run {
      const Tensor x = sequences(filling, 16), a = sequences(filling, 17, 3),
                   b = sequences(filling, 18, 2);
      const Mask mask = lengths_mask();
      return {fusion({x, mask}, {{a, mask}, {b, mask}}).output, with_parameters(fusion, {x, a, b})};
    });
  }
}

TEST_CASE("a coverage of keys that are padded with NaN changes nothing") {
  Generator generator(19);
  Attention attention(Score::additive, size, size, generator);
  Coverage coverage(size, generator);
  const Tensor q = random_normal({batch, 1, size}, 0, 1, generator).require_grad();
  check_padding([&](double filling) -> Run {
    const Tensor k = sequences(filling, 20);
    const KeyValues prepared = attention.prepare(k, k, lengths_mask());
    Tensor covered = zeros({batch, longest}), output;
    for (int step = 0; step < 2; ++step) {
      const AttentionOutput a = attention.attend(q, coverage(prepared, covered), lengths_mask());
      covered = covered + squeeze(a.weights, 1), output = a.output;
    }
    std::vector<Tensor> inputs = with_parameters(attention, {q, k});
    for (const Tensor& parameter : parameters(coverage)) inputs.push_back(parameter);
    return {output, inputs};
  });
}

TEST_CASE_TEMPLATE("a recurrent layer's padding of NaN changes nothing", Net, LSTM, GRU, RNN) {
  for (const bool fused : {true, false}) {
    CAPTURE(fused);
    Generator generator(21);
    Net net(size, 3, generator, {.layers = 2, .bidirectional = true});
    check_padding([&](double filling) -> Run {
      const NoFusion plain(!fused);
      const Tensor x = sequences(filling, 22);
      const auto result = net(x, lengths_mask());
      return {joined(all_tensors(result)), with_parameters(net, {x})};
    });
  }
}

TEST_CASE("the logits of ignored targets may be NaN") {
  for (const double smoothing : {0.0, 0.1, 1.0})
    for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none})
      for (const bool fused : {true, false}) {
        CAPTURE(smoothing);
        CAPTURE(fused);
        check_padding([&](double filling) -> Run {
          const NoFusion plain(!fused);
          const Tensor x = sequences(filling, 23);
          const Tensor targets =
              cast(lengths_mask().attended(), DType::int64) * 103 - 100;  // 3 or −100
          return {cross_entropy(x, targets, {.label_smoothing = smoothing, .reduction = reduction}),
                  {x}};
        });
      }
}
