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

Generator generator(1);
const Tensor x = random_normal({2, 3}, 0, 1, generator);

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
  const Tensor ids_of_rows = tensor(std::vector<int64_t>{0, 1}, {2});
  CHECK(error_of_export(own, x) == "no error");  // made of ops that were seen
  CHECK(
      error_of_export(unknown, x) ==
      "onnx: 'my_op' of (2, 3) has no counterpart in opset 13; write it as a composition of other "
      "ops for the export");
  CHECK(error_of_export([&](const Tensor& x) { return scatter_add(2, ids_of_rows, x); }, x)
            .starts_with("onnx: 'scatter_add' of (2, 3) has no counterpart in opset 13"));
  CHECK(error_of_export([](const Tensor& x) { return pad(x, 1, 0, 0, 0, 2); }, x)
            .starts_with("onnx: 'pad' of (2, 3) to (2, 7) with gaps"));
}

TEST_CASE("what a graph cannot say is an error") {
  const Tensor ids = tensor(std::vector<int64_t>{0, 2, 1}, {3});
  CHECK(error_of_export([](const Tensor& ids) { return one_hot(ids, 3) * 2; }, ids)
            .starts_with("onnx: a constant float32 (3, 3) changes with the inputs"));
  CHECK(error_of_export([](const Tensor& x) { return dropout(x, 0.5, &generator); }, x)
            .starts_with("onnx: a constant float32 (2, 3) changes with the inputs or from call to "
                         "call"));
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
