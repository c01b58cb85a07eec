#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/core.h"
#include "core/functions/gradient_check.h"
#include "core/tensor/error.h"
#include "core/trace/trace.h"
#include "core/trace/verdict.h"
#include "layers/layers.h"
#include "tests/files.h"

using namespace gradus;

namespace {

Tensor floats(const Shape& shape, double phase = 0) {
  return cast(irregular(shape, phase), DType::float32).require_grad();
}

template <class F>
Trace recorded(F f) {
  Trace trace;
  const auto recording = trace.record();
  sum(f() * floats({}, 0.3)).backward();
  return trace;
}

int node_of(const Trace& trace, const std::string& op) {
  for (int n = 0; n < trace.size(); ++n)
    if (trace.node(n).op == op) return n;
  throw Error("no " + op);
}

double difference(const TraceTensor& a, const TraceTensor& b) {
  REQUIRE(a.defined());
  REQUIRE(b.defined());
  REQUIRE(a.shape() == b.shape());
  const auto x = a.values().to_vector<double>(), y = b.values().to_vector<double>();
  double largest = 0;
  for (size_t i = 0; i < x.size(); ++i) largest = std::max(largest, std::abs(x[i] - y[i]));
  return largest;
}

/// Opens an op; what defines it gives its value and its gradients, and their rules agree.
Trace check_opened(const Trace& trace, const std::string& op) {
  CAPTURE(op);
  const int number = node_of(trace, op);
  Trace parts = trace.opened(number);
  for (const TraceNode& part : parts.nodes()) CHECK(part.op != op);
  CHECK(difference(parts.node(parts.size() - 1).value, trace.node(number).value) < 1e-5);
  const std::vector<TraceTensor> sent = trace.sent(number);
  for (const TraceNode& part : parts.nodes()) {
    if (part.name.empty()) continue;
    const size_t input =
        static_cast<size_t>(std::string("abcdef").find(part.name == "x" ? "a" : part.name));
    CHECK(difference(part.gradient, sent.at(input)) < 1e-5);
  }
  CHECK(check(parts).empty());
  return parts;
}

std::vector<std::string> ops_of(const Trace& trace) {
  std::vector<std::string> result;
  for (const TraceNode& node : trace.nodes())
    if (node.kind == TraceNode::Kind::op) result.push_back(node.op);
  return result;
}

bool holds(const std::vector<std::string>& ops, const std::string& op) {
  return std::ranges::find(ops, op) != ops.end();
}

}  // namespace

TEST_CASE("fused functions are opened into the ops that define them") {
  const Tensor x = floats({3, 4});
  const Trace softmaxes = recorded([&] { return softmax(x) + log_softmax(x); });
  CHECK(holds(ops_of(check_opened(softmaxes, "softmax")), "exp"));
  CHECK(holds(ops_of(check_opened(softmaxes, "log_softmax")), "log"));
  check_opened(recorded([&] { return layer_norm(x, floats({4}, 0.2), floats({4}, 0.4)); }),
               "layer_norm");
  const Tensor targets = tensor({1, 0, 3}, DType::int64);
  check_opened(recorded([&] { return cross_entropy(x, targets, {.label_smoothing = 0.1}); }),
               "cross_entropy");
}

TEST_CASE("a Dense layer is opened into a product and a sum") {
  Generator generator(1);
  const Dense dense(4, 2, generator);
  const auto ops = ops_of(check_opened(recorded([&] { return dense(floats({3, 4})); }), "linear"));
  CHECK(ops == std::vector<std::string>{"permute", "matmul", "add"});
}

TEST_CASE("recurrences are opened into their time steps, and these into elementwise functions") {
  Generator generator(1);
  const Tensor x = floats({2, 3, 2});
  const LSTM lstm(2, 2, generator);
  const GRU gru(2, 2, generator);
  const RNN rnn(2, 2, generator);
  const Trace parts = check_opened(recorded([&] { return lstm(x).output; }), "lstm");
  for (const char* op : {"sigmoid", "tanh", "multiply", "linear"}) CHECK(holds(ops_of(parts), op));
  CHECK(parts.node(parts.size() - 1).op == "concat");
  int64_t last = -1;
  for (const TraceNode& node : parts.nodes()) last = std::max(last, node.time);
  CHECK(last == 2);
  check_opened(recorded([&] { return gru(x).output; }), "gru");
  check_opened(recorded([&] { return rnn(x).output; }), "rnn");
}

TEST_CASE("attention in tiles is opened into products and a softmax, and that again") {
  const Tensor q = floats({5, 4}), k = floats({6, 4}, 0.2), v = floats({6, 3}, 0.4);
  const Trace trace = recorded([&] { return TiledAttention{}(q, k, v).output; });
  const Trace parts = check_opened(trace, "tiled_attention");
  CHECK(holds(ops_of(parts), "matmul"));
  CHECK(holds(ops_of(parts), "exp"));
}

TEST_CASE("what an op computes by itself, and what only a file tells of, cannot be opened") {
  const Trace trace = recorded([&] { return tanh(floats({2})); });
  CHECK_THROWS_WITH_AS(trace.opened(node_of(trace, "tanh")),
                       doctest::Contains("is made of nothing simpler"), Error);
  CHECK_THROWS_WITH_AS(trace.opened(0), doctest::Contains("is not an op"), Error);
  const testing::Folder folder;
  trace.save(folder / "f");
  CHECK_THROWS_WITH_AS(Trace::load(folder / "f").opened(1),
                       doctest::Contains("open: this trace is from a file"), Error);
}
