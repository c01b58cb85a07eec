#include "layers/check/check.h"

#include <doctest/doctest.h>

#include "core/autograd/fused.h"
#include "layers/initialise.h"
#include "layers/layers.h"

using namespace gradus;

namespace {

Generator generator(7);

Tensor normal(const Shape& shape) { return random_normal(shape, 0, 1, generator); }

void check_passes(const LayerReport& report) { CHECK_MESSAGE(report.passed(), report.text()); }

/// The words of the only check that a layer fails.
std::string fault(const LayerReport& report) {
  std::string words;
  for (const LayerReport::Finding& finding : report.findings)
    if (finding.outcome == LayerReport::Outcome::failed)
      words += (words.empty() ? "" : "\n") + finding.check + ": " + finding.words;
  return words;
}

const LayerReport::Finding& finding(const LayerReport& report, const std::string& check) {
  return *std::ranges::find(report.findings, check, &LayerReport::Finding::check);
}

}  // namespace

TEST_CASE("all layers keep their promises") {
  const Mask lengths = Mask::lengths(std::vector<int64_t>{2, 3, 0}, 4);

  check_passes(check_layer(Dense(3, 2, generator), normal({2, 4, 3})));
  check_passes(check_layer(Dense(3, 2, generator, {.bias = false}), normal({2, 3})));
  const Tensor ids = tensor(std::vector<int64_t>{1, 2, 4, 1}, {2, 2});
  check_passes(check_layer(Embedding(5, 3, generator), ids));
  check_passes(check_layer(Embedding(5, 3, generator, 2), ids));
  check_passes(check_layer(LayerNorm(4), normal({2, 3, 4})));
  check_passes(check_layer(Dropout{0.3}, normal({2, 3, 4}), &generator));
  check_passes(check_layer(LSTMCell(3, 2, generator), normal({4, 3}),
                           LSTMState{normal({4, 2}), normal({4, 2})}));
  check_passes(check_layer(LSTM(5, 2, generator), normal({3, 4, 5}),
                           std::vector<LSTMState>{{normal({3, 2}), normal({3, 2})}}, lengths));
  check_passes(check_layer(GRUCell(3, 2, generator), normal({4, 3}), normal({4, 2})));
  check_passes(check_layer(GRU(5, 2, generator), normal({3, 4, 5}),
                           std::vector<Tensor>{normal({3, 2})}, lengths));
  check_passes(check_layer(GRU(2, 1, generator, {.layers = 2, .bidirectional = true}),
                           normal({3, 4, 2}), lengths));
  check_passes(check_layer(RNNCell(3, 2, generator), normal({4, 3}), normal({4, 2})));
  check_passes(
      check_layer(RNN(5, 2, generator, {.bidirectional = true}), normal({3, 4, 5}), lengths));
  check_passes(check_layer(LSTM(2, 1, generator, {.layers = 2, .bidirectional = true}),
                           normal({3, 4, 2}), lengths));
  const Mask mask = Mask::attend(tensor({{1, 0, 1, 0}, {0, 0, 0, 0}}), Mask::batch_time);
  for (const Score score :
       {Score::dot, Score::scaled_dot, Score::general, Score::additive, Score::location}) {
    CAPTURE(static_cast<int>(score));
    check_passes(check_layer(Attention(score, 5, 5, generator, {.additive_size = 3, .places = 4}),
                             normal({2, 3, 5}), normal({2, 4, 5}), normal({2, 4, 6}), mask));
  }
  check_passes(check_layer(Attention(Score::general, 5, 5, generator, {.focus = Focus::local_p}),
                           normal({2, 3, 5}), normal({2, 4, 5}), normal({2, 4, 6}), mask));
  check_passes(check_layer(MultiHeadAttention(6, 2, generator), normal({2, 3, 6}),
                           normal({2, 4, 6}), normal({2, 4, 6}), mask));
  for (const bool norm_first : {true, false})
    check_passes(check_layer(
        TransformerEncoderLayer(6, 2, generator, {.feed_forward = 5, .norm_first = norm_first}),
        normal({2, 4, 6}), mask));
  check_passes(
      check_layer(Sequential(LSTM(2, 5, generator), LayerNorm(5), gelu, Dense(5, 1, generator)),
                  normal({3, 4, 2}), lengths));
  check_passes(check_layer(silu, normal({3, 4})));
}

TEST_CASE("a report reads like a teacher's") {
  Generator generator(1);
  const LayerReport report =
      check_layer(Dense(3, 2, generator), random_normal({4, 3}, 0, 1, generator));
  CHECK(report.text() == R"words(Dense passes.
  ✓ call: gives (4, 2)
  ✓ parameters: all 2 get a gradient
  ✓ first derivatives: agree with finite differences, in 20 numbers
  ✓ second derivatives: agree with finite differences, in 20 numbers
  ✓ batch: each of 4 rows gives alone what it gives in its batch
  – padding: the case has neither a mask (batch, time) nor lengths
  ✓ save and load: a loaded copy goes on with the same bits
  ✓ same bits: twice, in outputs and gradients
  ✓ shape errors: a wrong size gives "dense: expected x of shape (…, 3) for a weight (2, 3) 'weight', got (4, 4), in Dense"
)words");
}

namespace {

struct Shared {
  std::shared_ptr<Dense> dense;
  Tensor operator()(const Tensor& x) const { return (*dense)(x); }
  void parameters(auto&& visit) { visit("dense", dense); }
};

}  // namespace

TEST_CASE("checking a layer leaves it as it was") {
  Dense dense(3, 2, generator);
  const Shared shared{std::make_shared<Dense>(3, 2, generator)};
  const Tensor x = normal({4, 3}), weight = shared.dense->weight;
  const std::vector<float> values = dense.weight.to_vector<float>(), inputs = x.to_vector<float>();
  check_passes(check_layer(dense, x));
  check_passes(check_layer(shared, x));
  CHECK(dense.weight.to_vector<float>() == values);
  CHECK(x.to_vector<float>() == inputs);
  CHECK_FALSE(x.requires_grad());
  CHECK(shared.dense->weight.node() == weight.node());
}

// --- layers with a fault each -------------------------------------------------------------------

namespace {

Tensor half_square(const Tensor& x, double factor, bool detached) {
  return record("half_square", (x * x * 0.5).detach(), {x}, [=](const Backward& b) {
    const Tensor& x = b.input(0);
    return std::vector<Gradient>{b.gradient * (detached ? x.detach() : x) * factor};
  });
}

struct Scale {
  Tensor weight = uniform({3}, 1, generator).require_grad();
  void parameters(auto&& visit) { visit("weight", weight); }
};

struct Detached : Scale {
  Tensor operator()(const Tensor& x) const { return x * weight.detach(); }
};
struct Idle : Scale {
  Tensor operator()(const Tensor& x) const {
    return where(greater(x, 1e9), x * unsqueeze(weight, 0), x);
  }
};
struct Forgetful {
  Tensor weight = uniform({3}, 1, generator).require_grad();
  Tensor bias = uniform({3}, 1, generator).require_grad();
  void parameters(auto&& visit) { visit("weight", weight); }
  Tensor operator()(const Tensor& x) const { return x * weight + bias; }
};
struct Twins {
  Tensor a = uniform({3}, 1, generator).require_grad(),
         b = uniform({3}, 1, generator).require_grad();
  void parameters(auto&& visit) { visit("weight", a), visit("weight", b); }
  Tensor operator()(const Tensor& x) const {
    if (x.shape().back() != 3) throw Error("twins: expected (…, 3), got " + x.description());
    return x * a + b;
  }
};

struct RunningMean {  // not named: lost in a file
  Tensor mean;
  Tensor operator()(const Tensor& x) {
    mean = mean.defined() ? mean * 0.5 + gradus::mean(x.detach()) : gradus::mean(x.detach());
    return x - mean;
  }
};
struct Centre {  // named and detached: as it should be
  Tensor mean = zeros({3});
  void parameters(auto&& visit) { visit("mean", mean); }
  Tensor operator()(const Tensor& x) {
    if (x.rank() != 2 || x.size(1) != 3)
      throw Error("centre: expected (batch, 3), got " + x.description());
    const Tensor y = x - mean;
    mean = mean * 0.9 + gradus::mean(x.detach(), {0}) * 0.1;
    return y;
  }
};
struct Remembering {  // state that drags the recorded computation along
  Tensor last = zeros({});
  void parameters(auto&& visit) { visit("last", last); }
  Tensor operator()(const Tensor& x) {
    const Tensor y = x + last;
    last = sum(x);
    return y;
  }
};

struct Nameless : Scale {
  Tensor operator()(const Tensor& x) const { return x * weight; }
};
struct Stretching : Scale {
  Tensor operator()(const Tensor& x) const {
    if (x.size(-1) > 3) throw Error("stretching: expected (…, 3), got " + x.description());
    return x * weight;
  }
};
struct Reading {
  Tensor operator()(const Tensor& x) const {
    const std::vector<int> columns(3);
    return x * static_cast<double>(1 + columns.at(static_cast<size_t>(x.size(-1)) - 3));
  }
};

}  // namespace

TEST_CASE("a wrong gradient is caught, and what is wrong with it") {
  const auto of = [](double factor, bool detached) {
    return fault(check_layer([=](const Tensor& x) { return half_square(x, factor, detached); },
                             tensor({{1, 2, 3}, {-1, 0.5, 2}})));
  };
  CHECK(of(1, false) == "");
  CHECK(of(2, false).starts_with("first derivatives: in input 0 at "));
  CHECK(of(2, false).ends_with("That is 2 times as much"));
  CHECK(of(0.5, false).ends_with("It should be 2 times as much"));
  CHECK(of(-1, false).ends_with("The sign is turned round"));
  CHECK(of(1.1, false).ends_with("see that each number ends up in its own place"));
  CHECK(of(NAN, false).ends_with("Does the rule divide by zero, or take 0 · ∞?"));
  CHECK(of(1, true).starts_with("second derivatives: in input 0 at "));
  CHECK(of(1, true).find("cut off from its own gradient") != std::string::npos);

  const std::string lost =
      fault(check_layer([](const Tensor& x) { return x.detach() * x; }, normal({2, 3})));
  CHECK(lost.starts_with("first derivatives"));
  const std::string detached = fault(check_layer(Detached{}, normal({2, 3})));
  CHECK(detached.find("in 'weight' at (") != std::string::npos);
  CHECK(detached.find("it says 0, finite differences say") != std::string::npos);
  CHECK(detached.find("lost on the way: by detach(), under NoGrad, or in a rule") !=
        std::string::npos);
  CHECK(detached.find("parameters: 'weight' gets no gradient: the output was not computed from "
                      "it, or was cut off by detach()") != std::string::npos);
}

TEST_CASE("a fused op that is not its composition is caught") {
  const auto off_by = [](double slip) {
    return fault(check_layer(
        [slip](const Tensor& x) {
          return fused(
              "twice", {x},
              [slip](const std::vector<Tensor>& x) { return x[0].detach() * 2 + slip; },
              [](const Backward& b) { return std::vector<Gradient>{b.gradient * 2}; },
              [](const std::vector<Tensor>& x) { return x[0] * 2; });
        },
        tensor({{1, 2, 3}, {-1, 0.5, 2}})));
  };
  CHECK(off_by(0) == "");
  CHECK(off_by(0.25) ==
        "fused ops: a fused op and the composition that defines it differ: output 0 at (1, 1) is "
        "1.25 in one pass and 1 composed");
}

TEST_CASE("an op without a derivative is caught") {
  const auto opaque = [](const Tensor& x) {
    return record("opaque", (x * 2).detach(), {x}, nullptr) * x;
  };
  CHECK(fault(check_layer(opaque, normal({2, 3}))).find("has no derivative") != std::string::npos);
}

TEST_CASE("a parameter that makes no difference is caught, and one that is not named") {
  CHECK(fault(check_layer(Idle{}, normal({2, 3})))
            .find("parameters: the gradient of 'weight' is 0 in every element") !=
        std::string::npos);
  const std::string words = fault(check_layer(Forgetful{}, normal({2, 3})));
  CHECK(words.find("a tensor (3) that requires a gradient but that parameters() does not name: it "
                   "would be neither trained nor saved") != std::string::npos);
}

TEST_CASE("rows that look at each other are caught") {
  const std::string words = fault(check_layer(
      [](const Tensor& x) { return x - mean(x, {0}, keepdims); }, tensor({{1, 2}, {3, 5}})));
  CHECK(words ==
        "batch: of row 0, output 0 at (0, 1) is -1.5 in its batch and 0 alone. Rows must not look "
        "at each other: does an op reduce or reshape over the first axis?");
}

TEST_CASE("padding that shows is caught, in its numbers and in its length") {
  const Mask mask = Mask::lengths(std::vector<int64_t>{4, 2}, 4);
  const Tensor x = normal({2, 4, 3});
  const std::string numbers =
      fault(check_layer([](const Tensor& x, const Mask&) { return max(x, {1}); }, x, mask));
  CHECK(numbers.starts_with("padding: the padding shows: output 0 at (1, "));
  CHECK(numbers.find("with other numbers there. Ignore it before every sum") != std::string::npos);
  const std::string length = fault(
      check_layer([](const Tensor& x,
                     const Mask& mask) { return mean(masked_fill(x, mask.unsqueeze(-1), 0), {1}); },
                  x, mask));
  CHECK(length.find("with three more positions of it") != std::string::npos);
  check_passes(
      check_layer([](const Tensor& x,
                     const Mask& mask) { return sum(masked_fill(x, mask.unsqueeze(-1), 0), {1}); },
                  x, mask));
}

TEST_CASE("what a file would lose is caught") {
  CHECK(fault(check_layer(Twins{}, normal({2, 3}))) ==
        "save and load: two tensors are named 'weight': a file can hold one of them");
  const LayerReport report = check_layer(RunningMean{}, normal({2, 3}));
  CHECK(finding(report, "save and load").words.find("keeps something that parameters() does not") !=
        std::string::npos);
  CHECK(finding(check_layer(Remembering{}, normal({2, 3})), "parameters").words ==
        "'last' now belongs to the recorded computation: detach() what the layer keeps for the "
        "next call");
}

TEST_CASE("randomness of a layer's own is caught") {
  Generator dice(1);
  const LayerReport report = check_layer(
      [&dice](const Tensor& x) { return x * random_uniform({3}, 1, 2, dice, x.dtype()); },
      normal({2, 3}));
  CHECK(finding(report, "same bits")
            .words.find("Take randomness from a Generator that is handed "
                        "in") != std::string::npos);
  CHECK_FALSE(report.passed());
}

TEST_CASE("wrong sizes that are stretched, misnamed or thrown as something else are caught") {
  CHECK(fault(check_layer(Nameless{}, normal({2, 3})))
            .ends_with("which does not say in which layer. Check shapes first, and begin with "
                       "\"nameless: \""));
  CHECK(fault(check_layer(Stretching{}, normal({2, 3}))) ==
        "shape errors: input 0 of (2, 1) instead of (2, 3) is taken without a word: broadcasting "
        "stretches it. Compare sizes before computing");
  CHECK(fault(check_layer(Reading{}, normal({2, 3}))).starts_with("shape errors: input 0 of (2, "));
}

TEST_CASE("a layer that cannot be called is told why, in its own dtype and in float64") {
  CHECK(fault(check_layer(Dense(3, 2, generator), normal({2, 4})))
            .starts_with("call: with these inputs it throws: dense: expected x"));
  const std::string words =
      fault(check_layer([](const Tensor& x) { return x * ones({3}); }, normal({2, 3})));
  CHECK(words.starts_with(
      "float64: derivatives, batch and padding are checked in float64, in which it throws: "));
  CHECK(words.find("zeros(shape, x.dtype())") != std::string::npos);
  CHECK(fault(check_layer([](const Tensor&) { return 1.0; }, normal({2, 3}))) ==
        "call: it gives no tensor");
}

TEST_CASE("a layer with state passes where it names the state and detaches it") {
  check_passes(check_layer(Centre{}, normal({2, 3})));
}
