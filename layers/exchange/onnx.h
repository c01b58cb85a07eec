#pragma once

#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>

#include "core/autograd/autograd.h"
#include "core/functions/mask.h"
#include "layers/parameters.h"
#include "layers/parts.h"

namespace gradus {

/// An operator that stands for an op in an ONNX file. Its attributes are the op's.
struct OnnxOperator {
  std::string type;                                 ///< "LeakyRelu"
  std::map<std::string, std::string> renamed = {};  ///< attributes that ONNX calls otherwise
  Attributes further = {};                          ///< those that the op does not have
  std::string domain = {};  ///< where an operator that is not one of ONNX itself is defined
};
/// By the name of the op.
using OnnxOperators = std::map<std::string, OnnxOperator>;

/// The ops of one forward pass as an ONNX graph (https://onnx.ai, opset 16). See export_onnx().
class OnnxGraph {
 public:
  static constexpr int opset = 16;

  explicit OnnxGraph(OnnxOperators operators = {});
  OnnxGraph(OnnxGraph&&) noexcept;
  ~OnnxGraph();

  void add_parameter(const std::string& name, const Tensor& parameter);
  void add_input(const std::string& name, const Tensor& input);
  /// Notes each op that `forward` computes.
  void record(const std::function<void()>& forward);
  /// Throws Error when the tensor was not computed by the ops that were seen.
  void add_output(const std::string& name, const Tensor& output);

  /// Throws Error when another pass, with other inputs, took other steps or other constants.
  void check_same_as(const OnnxGraph& other) const;
  /// Throws Error beyond 2 GiB, the limit of the format.
  void write(const std::string& path) const;

 private:
  struct Recorder;
  std::unique_ptr<Recorder> recorder_;
};

/// A copy; or, with a number of places by which they move, other values of the same kind and in the
/// same range: what a graph must not depend on.
Tensor example_input(const Tensor& x, int64_t places = 0);

/// Writes what `model(inputs…)` computes as an ONNX file, so that other programs can run the
/// trained model. Any model of ops is exported, op by op, in its own dtype; elementwise formulas,
/// softmax and its like become the operators that they are made of. Parameters keep their dotted
/// names; the inputs are "input_0", "input_1", …, the outputs "output_0", …, in the order in which
/// the tensors stand among the arguments and in the result. Where two names are the same, the
/// second one gets a number.
///
///     export_onnx("tagger.onnx", tagger, ids);
///
/// All sizes are those of the given inputs; masks, lengths and what C++ code decides on the way
/// become part of the graph. log1p and expm1 become log(1 + x) and eˣ − 1, which round near 0; var,
/// stddev and layer_norm become what they are for squares within the range of the dtype.
///
/// An op of the user's own that computes by other ops is exported as those. For any other one
/// `operators` names an operator, to which the op's attributes are given: one of ONNX
///
///     Tensor leaky_relu(const Tensor& x, double slope) {
///       …
///       return record({"leaky_relu", …}, y, {x}, rule, forward,
///                     [&] { return Attributes{{"slope", slope}}; });
///     }
///     export_onnx("model.onnx", {{"leaky_relu", {"LeakyRelu", {{"slope", "alpha"}}}}}, model, x);
///
/// or one of another domain, which the program that runs the file has to know:
/// {{"fft", {.type = "Fft", .domain = "com.example"}}}.
///
/// Throws Error, and writes nothing, for an op without an operator, and where steps or constants
/// change with the values of the inputs (masked_select, a random mask), which a graph cannot say.
template <class L, class... Inputs>
void export_onnx(const std::string& path, const OnnxOperators& operators, L& model,
                 const Inputs&... inputs) {
  auto trace = [&](bool with_others) {
    OnnxGraph graph(operators);
    if constexpr (Layer<L>)
      for_each_parameter(model, [&](const std::string& name, Tensor& parameter) {
        graph.add_parameter(name, parameter);
      });
    std::tuple<Inputs...> arguments(inputs...);
    int input = 0, output = 0;
    Cases name{[&](Tensor& x) {
                 if (!x.defined()) return;
                 x = example_input(x, with_others ? input + 1 : 0);
                 graph.add_input(fmt::format("input_{}", input++), x);
               },
               [](Mask&) {}};
    for_each_part(arguments, name);
    graph.record([&] {
      auto result = std::apply(model, arguments);
      Cases take{[&](Tensor& x) {
                   if (x.defined()) graph.add_output(fmt::format("output_{}", output++), x);
                 },
                 [](Mask&) {}};
      for_each_part(result, take);
    });
    return graph;
  };
  const OnnxGraph graph = trace(false);
  graph.check_same_as(trace(true));
  graph.write(path);
}
template <class L, class... Inputs>
requires(!std::same_as<std::remove_const_t<L>, OnnxOperators>) void export_onnx(
    const std::string& path, L& model, const Inputs&... inputs) {
  export_onnx(path, OnnxOperators(), model, inputs...);
}

}  // namespace gradus
