#include "core/trace/trace.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "core/files/safetensors.h"
#include "core/ops/ops.h"
#include "core/tensor/error.h"
#include "tests/files.h"

using namespace gradus;
using gradus::testing::Folder;

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
  CHECK(nodes[2].derivatives == std::vector<std::string>{"g · bᵀ", "aᵀ · g"});
  CHECK(nodes[2].inputs == std::vector<int>{0, 1});
  CHECK(nodes[2].parameters == std::vector<int>{0, 1});
  REQUIRE_FALSE(nodes[2].source.empty());
  CHECK(nodes[2].source[0].file == "tests/core/trace/trace_test.cpp");
  CHECK(nodes[5].formula == "tanh(x)");
  CHECK(nodes[5].derivatives == std::vector<std::string>{"g · (1 − y · y)"});
  CHECK(r.trace.users(2) == std::vector<int>{4});
  CHECK(nodes[2].value.values().to_vector<float>() == std::vector<float>{19, 22, 43, 50});
  CHECK(nodes[0].gradient.values().to_vector<float>() == r.a.grad().to_vector<float>());
  CHECK(r.trace.sent(2)[0].values().to_vector<float>() == r.a.grad().to_vector<float>());
}

TEST_CASE("a trace keeps the values of the recording when parameters change afterwards") {
  Recorded r;
  const std::vector<float> gradient = r.a.grad().to_vector<float>();
  r.a.assign(tensor({{0, 0}, {0, 0}}));
  Tensor(r.a.grad()).assign(tensor({{0, 0}, {0, 0}}));
  CHECK(r.trace.node(0).value.values().to_vector<float>() == std::vector<float>{1, 2, 3, 4});
  CHECK(r.trace.node(0).gradient.values().to_vector<float>() == gradient);
}

TEST_CASE("a trace comes back from its file") {
  Recorded r;
  r.trace.keys = {"tea", "\"茶\""};
  const Folder folder;
  const std::string path = folder / "f";
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
}

TEST_CASE("tensors beyond the limit are kept as summaries") {
  const Recorded r;
  const Folder folder;
  const std::string path = folder / "f";
  r.trace.save(path, {.largest = 3});
  const Trace trace = Trace::load(path);
  const TraceTensor& value = trace.node(2).value;
  CHECK_FALSE(value.is_whole());
  CHECK(value.summary().max == 50);
  CHECK(value.summary().norm == doctest::Approx(std::sqrt(19. * 19 + 22 * 22 + 43 * 43 + 50 * 50)));
  CHECK_THROWS_WITH_AS(value.values(), doctest::Contains("only the summary was kept"), Error);
  CHECK(trace.node(6).value.is_whole());
}

TEST_CASE("there is no node beyond the last") {
  const Recorded r;
  CHECK_THROWS_WITH_AS(r.trace.node(8), "trace: there is no node 8, they go from 0 to 7", Error);
  CHECK_THROWS_AS(r.trace.node(-1), Error);
  CHECK_THROWS_WITH_AS(Trace().node(0), "trace: there is no node 0, the trace is empty", Error);
}

TEST_CASE("a step reads a parameter also through views of it") {
  const Tensor w = tensor({{1, 2}, {3, 4}}).require_grad();
  Trace trace;
  {
    const auto recording = trace.record();
    sum(matmul(transpose(w), slice(w, 1, 0, 1))).backward();
  }
  for (const TraceNode& node : trace.nodes())
    if (node.op == "matmul") CHECK(node.parameters == std::vector<int>{0, 0});
}

TEST_CASE("two backward passes through a trace add up, as gradients do") {
  const Tensor x = tensor({1, 2}).require_grad();
  Trace trace;
  {
    const auto recording = trace.record();
    const Tensor y = x * x;
    sum(y).backward({}, true);
    sum(y).backward();
  }
  CHECK(trace.node(0).gradient.values().to_vector<float>() == x.grad().to_vector<float>());
  CHECK(trace.sent(1)[0].values().to_vector<float>() == std::vector<float>{2, 4});
}

TEST_CASE("a summary counts what is not finite, and describes the rest") {
  const double infinity = std::numeric_limits<double>::infinity();
  const Summary s = summarise(tensor({0, std::nan(""), -3, 4, infinity, -infinity, 0}));
  CHECK(s.count == 7);
  CHECK(s.nans == 1);
  CHECK(s.infinities == 2);
  CHECK(s.zeros == 2);
  CHECK(s.min == -3);
  CHECK(s.max == 4);
  CHECK(s.mean == 0.25);
  CHECK(s.norm == 5);
  std::vector<int64_t> bins(Summary::bins, 0);
  bins[0] = 1, bins[6] = 2, bins[15] = 1;
  CHECK(s.histogram == bins);
  CHECK(summarise(full({3}, infinity)).max == 0);
  CHECK(summarise(full({3}, 7)).histogram[0] == 3);
  CHECK(summarise(zeros({0})).count == 0);
}

namespace {

/// A trace's file with one piece of its metadata replaced.
std::string broken(const std::string& key, const std::string& from, const std::string& to) {
  const Folder folder;
  const std::string path = folder / "f";
  Recorded().trace.save(path);
  TensorFile file = load_tensors(path);
  std::string& text = file.metadata[key];
  const size_t at = text.find(from);
  REQUIRE(at != text.npos);
  text.replace(at, from.size(), to);
  save_tensors(path, file);
  std::string error = "none";
  try {
    Trace::load(path);
  } catch (const Error& e) {
    error = e.what();
  }
  CHECK(error.find(path) == 0);
  return error.substr(std::min(error.size(), path.size() + 2));
}

}  // namespace

TEST_CASE("a file that is no trace, or a damaged one, is refused with what is wrong") {
  CHECK(broken("version", "1", "2") == "a trace of version '2', this program reads version 1");
  CHECK(broken("format", "trace", "model").find("not a trace") == 0);
  CHECK(broken("nodes", "[", "").find("damaged: its nodes are not JSON") == 0);
  CHECK(broken("nodes", "\"inputs\":[0,1]", "\"inputs\":[0,2]") ==
        "nodes[2]'s inputs[1] is 2, which is outside [0, 1]");
  CHECK(broken("nodes", "\"matmul\"", "[[]]") == "nodes[2]'s op is not a text: array");
  CHECK(broken("nodes", "\"parameter\"", "\"poem\"") ==
        "nodes[0]'s kind is not one of the known words: \"poem\"");
  CHECK(broken("nodes", "\"shape\":[2,2]", "\"shape\":[2,3]").find("count") != std::string::npos);
  CHECK(broken("nodes", "\"shape\":[2,2]", "\"shape\":[4]").find("tensor 0.") != std::string::npos);

  const Folder folder;
  const std::string path = folder / "f";
  Recorded().trace.save(path);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 5);
  CHECK_THROWS_WITH_AS(Trace::load(path), doctest::Contains("truncated"), Error);
  std::filesystem::resize_file(path, 0);
  CHECK_THROWS_WITH_AS(Trace::load(path), doctest::Contains("truncated"), Error);
  std::filesystem::remove(path);
  CHECK_THROWS_WITH_AS(Trace::load(path), doctest::Contains("cannot open it"), Error);
}
