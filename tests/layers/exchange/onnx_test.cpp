#include "layers/exchange/onnx.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/tensor/random.h"
#include "layers/layers.h"
#include "tests/core/helpers.h"

using namespace gradus;
using namespace gradus::testing;

// That onnxruntime computes what we compute, tests/onnx/check.py shows.

namespace {

struct File {
  std::string path = fmt::format("onnx_test.{}.onnx", getpid());  // tests run beside each other
  ~File() { std::filesystem::remove(path); }
  std::string contents() const {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
};

/// How often a node of this type stands in the file: field 4 of a node.
int count(const std::string& file, const std::string& type) {
  const std::string field = std::string("\x22") + static_cast<char>(type.size()) + type;
  int found = 0;
  for (size_t at = file.find(field); at != std::string::npos; at = file.find(field, at + 1))
    ++found;
  return found;
}

/// Whether an attribute stands in the file: an integer (field 3) or a list of one (field 8).
bool has(const std::string& file, const std::string& attribute, int value, bool is_list = false) {
  const std::string name = static_cast<char>(attribute.size()) + attribute;
  return file.find("\x0a" + name + (is_list ? '\x40' : '\x18') + static_cast<char>(value)) !=
         std::string::npos;
}

Generator generator(1);
const Tensor x = random_normal({2, 3}, 0, 1, generator);

/// Parameters with the names of other values.
struct Clashing {
  Tensor a = random_normal({3, 3}, 0, 1, generator).require_grad(), b = twice(a), c = twice(a);
  Tensor operator()(const Tensor& x) const { return matmul(matmul(matmul(x, a), b), c); }
  void parameters(auto&& visit) { visit("input_0", a), visit("output_0", b), visit("matmul_1", c); }
  static Tensor twice(const Tensor& x) { return (x * 2).detach().require_grad(); }
};

struct HalfUsed {
  Tensor used = ones({3}).require_grad(), unused = ones({3}).require_grad();
  Tensor operator()(const Tensor& x) const {
    exp(x * unused);
    return x * used;
  }
  void parameters(auto&& visit) { visit("used", used), visit("idle", unused); }
};

template <class F, class... Inputs>
std::string exported(F f, const Inputs&... inputs) {
  const File file;
  export_onnx(file.path, f, inputs...);
  return file.contents();
}

template <class F, class... Inputs>
std::string error_of_export(F f, const Inputs&... inputs) {
  const File file;
  const std::string error = error_of([&] { export_onnx(file.path, f, inputs...); });
  if (error != "no error") CHECK_FALSE(std::filesystem::exists(file.path));
  return error;
}

}  // namespace

TEST_CASE("an exported model has its ops as nodes and its parameters by name") {
  Sequential model(Dense(3, 4, generator), silu, LayerNorm(4), Dense(4, 2, generator));
  const File file;
  export_onnx(file.path, model, x);
  const std::string once = file.contents();
  CHECK(count(once, "MatMul") == 2);
  CHECK(count(once, "Sigmoid") == 1);
  for (const char* name : {"0.weight", "0.bias", "2.weight", "3.bias", "input_0", "output_0"})
    CHECK(once.find(name) != std::string::npos);
  export_onnx(file.path, model, x);
  CHECK(file.contents() == once);
  CHECK_FALSE(model(x).node() == nullptr);  // the export leaves recording as it was
}

TEST_CASE("an op without a counterpart in ONNX is an error that names it, and no file") {
  const auto own = [](const Tensor& x) {
    return record("my_op", x.detach() * 2, {x}, nullptr) +
           record("my_op", x.detach(), {x}, nullptr);
  };
  const auto unknown = [](const Tensor& x) {
    Tensor y = Tensor::uninitialised(x.shape(), x.dtype());
    y.assign(x);
    return record("my_op", y, {x}, nullptr);
  };
  CHECK(error_of_export(own, x) == "no error");  // made of ops that were seen
  CHECK(
      error_of_export(unknown, x) ==
      "onnx: 'my_op' of (2, 3) has no counterpart in opset 16; give export_onnx() an operator for "
      "it, or write it as a composition of other ops");
  CHECK(error_of_export(
            [](const Tensor& x) {
              Tensor y = zeros(x.shape());
              return record("slice", y, {x}, nullptr);
            },
            x) == "onnx: 'slice' is recorded without its attribute 'begin'");
}

TEST_CASE("attributes are the op's, also where shapes do not show them") {
  const Tensor ones_only = ones({1, 1, 1});
  for (int axis = 0; axis < 3; ++axis) {
    CHECK(has(exported([=](const Tensor& x) { return argmax(x, axis); }, ones_only), "axis", axis));
    CHECK(has(exported([=](const Tensor& x) { return max(x, {axis}); }, ones_only), "axes", axis,
              true));
    CHECK(has(exported([=](const Tensor& x) { return logsumexp(x, {axis}); }, ones_only), "axes",
              axis, true));
    CHECK(has(exported(
                  [=](const Tensor& x) {
                    return concat({x, zeros({1, 0, 1})}, 1);
                  },
                  ones_only),
              "axis", 1));
  }
  const std::string order = exported(
      [](const Tensor& x) {
        return permute(x, {1, 2, 0}) + x;
      },
      ones({2, 2, 2}));
  CHECK(order.find("perm\x40\x01\x40\x02\x40" + std::string(1, '\0')) != std::string::npos);
  const std::string gaps = exported([](const Tensor& x) { return pad(x, 1, 0, 0, 0, 2); }, x);
  CHECK(count(gaps, "Pad") == 2);
}

TEST_CASE("what has no elements, and what is computed from it, is a constant of the file") {
  const std::string nothing = exported([](const Tensor& x) { return exp(x) * 2; }, zeros({2, 0}));
  CHECK(count(nothing, "Exp") == 0);
  CHECK(count(nothing, "Identity") == 1);
  const std::string total = exported([](const Tensor& x) { return sum(x) + 1; }, zeros({2, 0}));
  CHECK(count(total, "ReduceSum") == 0);
  CHECK(count(total, "Add") == 1);
}

TEST_CASE("one tensor for several inputs gives as many inputs") {
  const std::string file = exported(
      [](const Tensor& a, const Tensor& b, const Tensor& c) { return a * b - c; }, x, x, x);
  for (const char* name : {"input_0", "input_1", "input_2"}) {
    const std::string read = std::string("\x0a\x07") + name;  // field 1: of a node, of an input
    const size_t at = file.find(read);
    CHECK(at != std::string::npos);
    CHECK(file.find(read, at + 1) != std::string::npos);
  }
}

TEST_CASE("names do not clash, and those of inputs and outputs stay") {
  const std::string file = exported(Clashing(), x);
  for (const char* name :
       {"input_0", "input_0_2", "output_0", "output_0_2", "matmul_1", "matmul_1_2"})
    CHECK(file.find(static_cast<char>(std::string(name).size()) + std::string(name)) !=
          std::string::npos);
}

TEST_CASE("ops and parameters that no output depends on are left out") {
  const std::string file = exported(HalfUsed(), x);
  CHECK(count(file, "Mul") == 1);
  CHECK(count(file, "Exp") == 0);
  CHECK(file.find("idle") == std::string::npos);
}

TEST_CASE("an op that has an operator is that one, whatever other ops it runs") {
  const std::string file = exported(
      [](const Tensor& x) { return cumsum(x, 0) + cast(argsort(x, 0), DType::float32); }, x);
  CHECK(count(file, "CumSum") == 1);
  CHECK(count(file, "TopK") == 1);
  CHECK(count(file, "Transpose") == 0);
}

TEST_CASE("ops by index are exported with the indices that the graph computes") {
  const std::string scattered =
      exported([](const Tensor& x) { return scatter_add(4, argmax(x, 1), x); }, x);
  CHECK(count(scattered, "ScatterElements") == 1);
  CHECK(scattered.find("reduction\x22\x03"
                       "add") != std::string::npos);
  const std::string hot = exported([](const Tensor& x) { return one_hot(argmax(x, 1), 3); }, x);
  CHECK(count(hot, "ArgMax") == 1);
  CHECK(count(hot, "OneHot") == 1);
  const std::string sorted = exported([](const Tensor& x) { return sort(x, 1).values; }, x);
  CHECK(count(sorted, "TopK") == 1);
  CHECK(count(sorted, "Gather") == 1);
  const std::string top = exported([](const Tensor& x) { return topk(x, 2).values; }, x);
  CHECK(count(top, "TopK") == 1);
  CHECK(count(top, "Gather") == 1);
}

TEST_CASE("of equal elements argmax and argmin name the first, or the last, in the file too") {
  const auto last_of = [](const Tensor& x) { return argmax(x, 1, true) - argmin(x, 1, true); };
  const auto first_of = [](const Tensor& x) { return argmax(x, 1) - argmin(x, 1); };
  CHECK(has(exported(last_of, x), "select_last_index", 1));
  CHECK_FALSE(has(exported(first_of, x), "select_last_index", 1));
  CHECK(has(exported(first_of, x), "select_last_index", 0));
}

TEST_CASE("a deviation of 0 is exported with the steps of any other") {
  const auto deviation = [](const Tensor& x) { return stddev(x, {0}, keepdims, 0); };
  CHECK(exported(deviation, zeros({2, 3})) == exported(deviation, x));
}

TEST_CASE("a tensor that is written between two ops is not the one of before") {
  CHECK(error_of_export(
            [](const Tensor& x) {
              Tensor y = x * 2;
              y.assign(x);
              return y + 1;
            },
            x)
            .starts_with("onnx: a constant float32 (2, 3) changes with the inputs"));
}

TEST_CASE("an op of the user's own becomes the operator that they name, with its attributes") {
  const auto own = [](const Tensor& x) {
    Tensor y = Tensor::uninitialised(x.shape(), x.dtype());
    y.assign(x);
    return record({"my_op", "x in another way"}, y, {x}, nullptr, nullptr, [] {
      return Attributes{{"slope", 0.5},
                        {"rounds", int64_t{3}},
                        {"mode", "fast"},
                        {"axes", std::vector<int64_t>{1}}};
    });
  };
  const File file;
  export_onnx(file.path,
              {{"my_op", {"MyOp", {{"slope", "alpha"}}, {{"further", int64_t{7}}}, "com.example"}}},
              own, x);
  const std::string contents = file.contents();
  CHECK(count(contents, "MyOp") == 1);
  CHECK(contents.find("\x3a\x0b"
                      "com.example") != std::string::npos);  // field 7 of the node
  CHECK(contents.find("\x0a\x0b"
                      "com.example\x10\x01") != std::string::npos);  // in version 1
  CHECK(contents.find(std::string("alpha\x15\0\0\0\x3f\xa0\x01\x01", 13)) != std::string::npos);
  CHECK(has(contents, "rounds", 3));
  CHECK(has(contents, "further", 7));
  CHECK(has(contents, "axes", 1, true));
  CHECK(contents.find("mode\x22\x04"
                      "fast\xa0\x01\x03") != std::string::npos);
  CHECK(contents.find("slope") == std::string::npos);
  // Also where the export has seen the ops that it is made of; those are left out.
  const auto composed = [](const Tensor& x) {
    return record("my_op", exp(x).detach(), {x}, nullptr);
  };
  export_onnx(file.path, {{"my_op", {"Exponential", {}, {}, "com.example"}}}, composed, x);
  CHECK(count(file.contents(), "Exponential") == 1);
  CHECK(count(file.contents(), "Exp") == 0);
}

TEST_CASE("what a graph cannot say is an error") {
  const Tensor ids = tensor(std::vector<int64_t>{0, 2, 1}, {3});
  const auto picked = [](const Tensor& ids) { return masked_select(ids, equal(ids, 0)); };
  CHECK(error_of_export(picked, ids)
            .starts_with("onnx: a constant int64 (1) changes with the inputs"));
  const auto noisy = [](const Tensor& x) { return x + random_uniform({2, 3}, 0, 1, generator); };
  CHECK(error_of_export(noisy, x).starts_with(
      "onnx: a constant float32 (2, 3) changes with the inputs or from call to call"));
  CHECK(error_of_export([](const Tensor& x) { return dropout(x, 0.5, &generator); }, x)
            .starts_with("onnx: 'dropout' of (2, 3) has no counterpart"));
  const auto branching = [](const Tensor& x) { return max(x).item() > 0.9 ? tanh(x) : exp(x); };
  CHECK(error_of_export(branching, tensor({0.5, 1.0})) ==
        "onnx: with other inputs the model takes other steps; a graph has the same ones always");
  CHECK(
      error_of_export([](const Tensor& x) { return tensor(x.to_vector<float>(), x.shape()); }, x) ==
      "onnx: output_0, float32 (2, 3), was not computed by ops: the export cannot see how");
}

TEST_CASE("a path that cannot be written to is an error") {
  Dense dense(3, 2, generator);
  CHECK(error_of([&] {
          export_onnx("no/such/folder/model.onnx", dense, x);
        }).find("no/such/folder") != std::string::npos);
}
