#include "core/trace.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "core/error.h"
#include "core/ops.h"

using namespace gradus;

namespace {

struct Recorded {
  Tensor a, b, y;
  Trace trace;

  Recorded() {
    a = tensor({{1, 2}, {3, 4}}).require_grad();
    b = tensor({{5, 6}, {7, 8}}).require_grad();
    a.set_name("a");
    const auto recording = trace.record();
    y = sum(tanh(matmul(a, b) * 0.01));
    y.backward();
  }
};

std::string temporary(const char* name) {
  return (std::filesystem::temp_directory_path() / name).string();
}

}  // namespace

TEST_CASE("a trace holds every step in order, with formulas, values and gradients") {
  const Recorded r;
  const auto& nodes = r.trace.nodes();
  std::vector<std::string> ops;
  for (const TraceNode& node : nodes) ops.push_back(node.op);
  CHECK(ops ==
        std::vector<std::string>{"", "", "matmul", "", "multiply", "tanh", "sum", "reshape"});
  CHECK(nodes[0].kind == TraceNode::Kind::parameter);
  CHECK(nodes[0].name == "a");
  CHECK(nodes[3].kind == TraceNode::Kind::constant);
  CHECK(nodes[2].formula == "a · b");
  CHECK(nodes[2].derivative == "dL/da = g · bᵀ, dL/db = aᵀ · g");
  CHECK(nodes[2].inputs == std::vector<int>{0, 1});
  CHECK(nodes[2].parameters == std::vector<int>{0, 1});
  REQUIRE_FALSE(nodes[2].source.empty());
  CHECK(nodes[2].source[0].file == "tests/core/trace_test.cpp");
  CHECK(nodes[5].formula == "tanh(x)");
  CHECK(nodes[5].derivative == "dL/dx = g · (1 − y · y)");
  CHECK(r.trace.users(2) == std::vector<int>{4});
  CHECK(nodes[2].value.values().to_vector<float>() == std::vector<float>{19, 22, 43, 50});
  CHECK(nodes[0].gradient.values().to_vector<float>() == r.a.grad().to_vector<float>());
  CHECK(r.trace.sent(2)[0].values().to_vector<float>() == r.a.grad().to_vector<float>());
}

TEST_CASE("a trace keeps the values of the recording when parameters change afterwards") {
  const Recorded r;
  const std::vector<float> gradient = r.a.grad().to_vector<float>();
  r.a.assign(tensor({{0, 0}, {0, 0}}));
  r.a.grad().assign(tensor({{0, 0}, {0, 0}}));
  CHECK(r.trace.node(0).value.values().to_vector<float>() == std::vector<float>{1, 2, 3, 4});
  CHECK(r.trace.node(0).gradient.values().to_vector<float>() == gradient);
}

TEST_CASE("a trace comes back from its file") {
  Recorded r;
  r.trace.keys = {"tea", "\"茶\""};
  const std::string path = temporary("gradus_trace_test");
  r.trace.save(path);
  const Trace trace = Trace::load(path);
  REQUIRE(trace.size() == r.trace.size());
  CHECK(trace.keys == r.trace.keys);
  CHECK(trace.queries.empty());
  for (int i = 0; i < trace.size(); ++i) {
    const TraceNode &node = trace.node(i), &before = r.trace.node(i);
    CHECK(node.op == before.op);
    CHECK(node.formula == before.formula);
    CHECK(node.inputs == before.inputs);
    CHECK(node.value.values().to_vector<double>() == before.value.values().to_vector<double>());
    CHECK(node.gradient.defined() == before.gradient.defined());
    CHECK(trace.sent(i).size() == r.trace.sent(i).size());
  }
  std::filesystem::remove(path);
}

TEST_CASE("tensors beyond the limit are kept as summaries") {
  const Recorded r;
  const std::string path = temporary("gradus_trace_limit_test");
  r.trace.save(path, {.largest = 3});
  const Trace trace = Trace::load(path);
  const TraceTensor& value = trace.node(2).value;
  CHECK_FALSE(value.is_whole());
  CHECK(value.summary().max == 50);
  CHECK(value.summary().norm == doctest::Approx(std::sqrt(19. * 19 + 22 * 22 + 43 * 43 + 50 * 50)));
  CHECK_THROWS_WITH_AS(value.values(), doctest::Contains("only the summary was kept"), Error);
  CHECK(trace.node(6).value.is_whole());
  std::filesystem::remove(path);
}

TEST_CASE("there is no node beyond the last") {
  const Recorded r;
  CHECK_THROWS_WITH_AS(r.trace.node(8), "trace: there is no node 8, they go from 0 to 7", Error);
  CHECK_THROWS_AS(r.trace.node(-1), Error);
  CHECK_THROWS_WITH_AS(Trace().node(0), "trace: there is no node 0, the trace is empty", Error);
}
