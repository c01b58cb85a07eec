#include "core/trace/trace.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/core.h"
#include "core/files/safetensors.h"
#include "core/tensor/error.h"
#include "core/trace/trace_json.h"
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

TEST_CASE("the summary of a value is right where its squares leave the range, and over millions") {
  const Tensor large = full({4}, 1e200, DType::float64), small = full({4}, 1e-200, DType::float64);
  CHECK(summarise(large).norm == doctest::Approx(2e200).epsilon(1e-15));
  CHECK(summarise(small).norm == doctest::Approx(2e-200).epsilon(1e-15));
  const Summary many = summarise(full({1'000'000}, 0.1, DType::float64));
  CHECK(many.mean == doctest::Approx(0.1).epsilon(1e-15));
  CHECK(many.norm == doctest::Approx(100).epsilon(1e-15));
}

TEST_CASE("a trace holds every op in order, with formulas, values and gradients") {
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

namespace {

std::vector<double> numbers_of(const TraceTensor& x) {
  return x.defined() ? x.values().to_vector<double>() : std::vector<double>{};
}

void check_same(const Trace& a, const Trace& b, int number) {
  CAPTURE(number);
  const TraceNode &x = a.node(number), &y = b.node(number);
  CHECK(x.kind == y.kind);
  CHECK(x.op == y.op);
  CHECK(x.formula == y.formula);
  CHECK(x.derivatives == y.derivatives);
  const auto same = [](Reads r, Reads s) { return r.bits == s.bits; };
  CHECK(std::ranges::equal(x.reads, y.reads, same));
  CHECK(same(x.also, y.also));
  CHECK(x.attributes == y.attributes);
  CHECK(x.is_view == y.is_view);
  CHECK(x.name == y.name);
  CHECK(x.path == y.path);
  CHECK(x.time == y.time);
  CHECK(x.source == y.source);
  CHECK(x.inputs == y.inputs);
  CHECK(x.parameters == y.parameters);
  CHECK(x.kept == y.kept);
  CHECK(a.users(number) == b.users(number));
  CHECK(numbers_of(x.value) == numbers_of(y.value));
  CHECK(numbers_of(x.gradient) == numbers_of(y.gradient));
  const std::vector<TraceTensor> sent = a.sent(number), others = b.sent(number);
  REQUIRE(sent.size() == others.size());
  for (size_t i = 0; i < sent.size(); ++i) CHECK(numbers_of(sent[i]) == numbers_of(others[i]));
}

}  // namespace

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
  for (int i = 0; i < trace.size(); ++i) check_same(trace, r.trace, i);
}

TEST_CASE("what ops were asked for comes back from the file, infinities and empty lists too") {
  Trace before;
  {
    const auto recording = before.record();
    const Tensor x = tensor({1, 2}).require_grad();
    const Attributes attributes{{"whole", int64_t{3}},
                                {"number", 1.0},
                                {"infinite", -std::numeric_limits<double>::infinity()},
                                {"large", std::numeric_limits<int64_t>::max()},
                                {"word", std::string("float32")},
                                {"a list", std::vector<int64_t>{2, -1}},
                                {"nothing", std::vector<int64_t>{}}};
    record(
        "mine", x * 1, {x}, [](const Backward& b) { return std::vector<Gradient>{b.gradient}; },
        nullptr, [&] { return attributes; });
    slice(softmax(x, 0), 0, 1, 2);
  }
  const Folder folder;
  before.save(folder / "f");
  const Trace after = Trace::load(folder / "f");
  REQUIRE(after.size() == before.size());
  for (int i = 0; i < after.size(); ++i) check_same(after, before, i);
  CHECK(after.node(after.size() - 1).op == "slice");
  CHECK(after.node(after.size() - 1).attributes == Attributes{{"axis", int64_t{0}},
                                                              {"begin", int64_t{1}},
                                                              {"end", int64_t{2}},
                                                              {"step", int64_t{1}}});
}

namespace {

/// A node of a trace, as its file tells it.
nlohmann::json told(const Trace& trace, int number) {
  return json_of(trace, number, [](const TraceTensor&, Role) { return 0; });
}

}  // namespace

TEST_CASE("the seventh operand is not called as the gradient is, in the trace and in its JSON") {
  Trace trace;
  {
    const auto recording = trace.record();
    std::vector<Tensor> inputs;
    for (int i = 0; i < 8; ++i) inputs.push_back(tensor({1}).require_grad());
    record({"eight", "a + … + i", {{"g"}}}, tensor({8}), inputs,
           [](const Backward& b) { return std::vector<Gradient>(b.size(), b.gradient); });
  }
  CHECK(told(trace, 8)["operands"] == nlohmann::json{"a", "b", "c", "d", "e", "f", "h", "i"});
  CHECK(told(trace, 8)["derivatives"].size() == 8);
}

TEST_CASE("a trace says what the backward pass keeps, and for which derivatives") {
  const Tensor w = tensor({{1, 2}, {3, 4}}).require_grad();
  const Tensor x = tensor({{5, 6}, {7, 8}});
  Trace trace;
  {
    const auto recording = trace.record();
    const Tensor h = tanh(matmul(x, transpose(w)));  // nodes: x, w, transpose, matmul, tanh
    sum(h + 1).backward();
  }
  using Readers = std::vector<TraceNode::Reader>;
  std::vector<int> numbers(4);  // of x, w's view, matmul and tanh
  int weight = -1;
  for (int n = 0; n < trace.size(); ++n) {
    const TraceNode& node = trace.node(n);
    if (node.op == "matmul") numbers = {node.inputs[0], node.inputs[1], n, trace.users(n)[0]};
    if (node.kind == TraceNode::Kind::parameter) weight = n;
  }
  CHECK(trace.node(numbers[0]).kept == Readers{{numbers[2], {1}}});  // x, for dL/d(wᵀ)
  CHECK(trace.node(numbers[1]).kept.empty());                        // x needs no gradient
  CHECK(trace.node(weight).kept.empty());
  CHECK(trace.node(numbers[2]).kept.empty());  // tanh reads its output
  CHECK(trace.node(numbers[3]).kept == Readers{{numbers[3], {0}}});
  CHECK(told(trace, numbers[0])["kept"] ==
        nlohmann::json::parse(fmt::format(R"([{{"by": {}, "for": [1]}}])", numbers[2])));
  CHECK(told(trace, numbers[0])["users"] == nlohmann::json{numbers[2]});

  Trace other;
  {
    const auto recording = other.record();
    sum(matmul(x.detach().require_grad(), transpose(w))).backward();
  }
  for (int n = 0; n < other.size(); ++n)
    if (other.node(n).op == "matmul") {
      CHECK(other.node(other.node(n).inputs[1]).kept == Readers{{n, {0}}});
      // A view keeps the memory that it shows.
      CHECK(other.node(other.node(n).parameters[1]).kept == Readers{{n, {0}}});
    }
}

TEST_CASE("of an op without stated derivatives the backward pass keeps everything") {
  Trace trace;
  {
    const auto recording = trace.record();
    const Tensor a = tensor({1}).require_grad(), b = tensor({2});
    record("mine", tensor({3}), {a, b}, [](const Backward& s) {
      return std::vector<Gradient>{s.gradient, Tensor()};
    });
    record("none", tensor({3}), {a, b}, nullptr);
  }
  using Readers = std::vector<TraceNode::Reader>;
  for (int n = 0; n < 3; ++n) CHECK(trace.node(n).kept == Readers{{2, {0}}});
  CHECK(trace.node(3).kept.empty());
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

TEST_CASE("a file holds the same numbers once, and no more than it may") {
  Trace trace;
  {
    const auto recording = trace.record();
    const Tensor x = full({100}, 2).require_grad(), y = full({50}, 3).require_grad();
    const Tensor z = sum(tanh(x) + 1);
    (z + sum(y * 1)).backward();
  }
  const Folder folder;
  const auto saved = [&](int64_t bytes) {
    trace.save(folder / "f", {.bytes = bytes});
    return load_tensors(folder / "f").tensors;
  };
  const auto with_size = [](const auto& tensors, int64_t size) {
    return std::ranges::count_if(tensors, [&](const auto& x) { return x.second.numel() == size; });
  };
  // x, tanh(x), their sum with 1, the gradient of ones, that of x; y, and its gradient of ones
  CHECK(with_size(saved(1 << 20), 100) == 5);
  CHECK(with_size(saved(1 << 20), 50) == 2);
  const auto few = saved(50 * 8 + 100 * 4 * 2 + 100);
  CHECK(with_size(few, 50) == 2);
  CHECK(with_size(few, 100) == 2);
  const Trace loaded = Trace::load(folder / "f");
  for (const TraceNode& node : loaded.nodes())
    if (node.value.shape().numel() <= 50) CHECK(node.value.is_whole());
  CHECK_FALSE(loaded.node(0).gradient.is_whole());
  CHECK(loaded.node(0).gradient.summary().norm == trace.node(0).gradient.summary().norm);
  CHECK(saved(0).empty());
}

TEST_CASE("there is no node beyond the last") {
  const Recorded r;
  CHECK_THROWS_WITH_AS(r.trace.node(8), "trace: there is no node 8, they go from 0 to 7", Error);
  CHECK_THROWS_AS(r.trace.node(-1), Error);
  CHECK_THROWS_WITH_AS(Trace().node(0), "trace: there is no node 0, the trace is empty", Error);
}

TEST_CASE("an op reads a parameter also through views of it") {
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

TEST_CASE("the figures of all numbers do not hide those that are not finite") {
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const auto figures = [](const NestedList& numbers) {
    const Summary::Figures all = summarise(tensor(numbers)).all();
    return fmt::format("{} {} {} {}", all.min, all.max, all.mean, all.norm);
  };
  CHECK(figures({3, -4}) == "-4 3 -0.5 5");
  CHECK(figures({3, nan, infinity}) == "nan nan nan nan");
  CHECK(figures({3, infinity}) == "3 inf inf inf");
  CHECK(figures({3, -infinity}) == "-inf 3 -inf inf");
  CHECK(figures({infinity, -infinity}) == "-inf inf nan inf");
  CHECK(figures({-infinity}) == "-inf -inf -inf inf");
}

TEST_CASE("infinities in figures and verdicts come back from the file") {
  const double infinity = std::numeric_limits<double>::infinity();
  Trace before;
  {
    const auto recording = before.record();
    sum(tensor({-infinity, 1}).require_grad()).backward();
  }
  Verdict verdict;
  verdict.result = Verdict::Result::disagrees;
  verdict.rule = -infinity;
  verdict.difference = std::nan("");
  before.set_verdict(1, verdict);
  const Folder folder;
  before.save(folder / "f", {.largest = 1});
  const Trace after = Trace::load(folder / "f");
  CHECK_FALSE(after.node(0).value.is_whole());
  CHECK(after.node(0).value.summary().all().min == -infinity);
  CHECK(after.node(0).value.summary().all().max == 1);
  CHECK(after.node(1).verdict->rule == -infinity);
  CHECK(std::isnan(after.node(1).verdict->difference));
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
  CHECK(broken("version", "3", "2") ==
        "format version 2, expected 3: record it again with this version");
  CHECK(broken("format", "trace", "model").find("not a trace") == 0);
  CHECK(broken("nodes", "[", "").find("damaged: \"nodes\" is not JSON") == 0);
  CHECK(broken("nodes", "\"inputs\":[0,1]", "\"inputs\":[0,2]") ==
        "nodes[2]'s inputs[1]: expected an integer in [0, 1], got 2");
  CHECK(broken("nodes", "\"matmul\"", "[[]]") == "nodes[2]'s op: expected a text, got array");
  CHECK(broken("nodes", "\"parameter\"", "\"poem\"") ==
        "nodes[0]'s kind: expected one of the known words, got \"poem\"");
  CHECK(broken("nodes", R"("derivatives":["g · bᵀ",)", R"("derivatives":[)") ==
        "nodes[2]'s derivatives: expected a list with an item per input, got array");
  CHECK(broken("nodes", R"("reads":[{"inputs":[1])", R"("reads":[{"inputs":[2])") ==
        "nodes[2]'s reads[0]'s inputs[0]: expected an integer in [0, 1], got 2");
  CHECK(broken("nodes", R"("reads":[{)", R"("attributes":[["axis",null]],"reads":[{)") ==
        "nodes[2]'s attributes[0][1]: expected a number, a text or a list of integers, got null");
  CHECK(broken("nodes", R"("reads":[{)", R"("attributes":[["axis"]],"reads":[{)") ==
        "nodes[2]'s attributes[0]: expected [name, value], got array");
  CHECK(broken("tensors", "\"shape\":[2,2]", "\"shape\":[2,3]").find("count") != std::string::npos);
  CHECK(broken("tensors", "\"shape\":[2,2]", "\"shape\":[4]").find("tensor 0 is") == 0);
  CHECK(broken("nodes", "\"value\":0", "\"value\":99")
            .find("nodes[0]'s value: expected an integer") == 0);
  CHECK(broken("lines", "[[", "[[0,").find("lines[0]: expected [file, line, function]") == 0);

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
