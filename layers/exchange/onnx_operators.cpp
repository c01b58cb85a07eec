#include <fmt/format.h>

#include <functional>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "layers/exchange/onnx_graph.h"

namespace gradus::onnx {

namespace {

OnnxOperator argument_of(const char* type) {
  return {type, {{"last", "select_last_index"}}, {{"keepdims", 0}}};
}

/// Ops that are one operator.
const OnnxOperators operators{{"add", {"Add"}},
                              {"subtract", {"Sub"}},
                              {"multiply", {"Mul"}},
                              {"divide", {"Div"}},
                              {"negate", {"Neg"}},
                              {"exp", {"Exp"}},
                              {"log", {"Log"}},
                              {"tanh", {"Tanh"}},
                              {"sigmoid", {"Sigmoid"}},
                              {"relu", {"Relu"}},
                              {"softplus", {"Softplus"}},
                              {"erf", {"Erf"}},
                              {"sqrt", {"Sqrt"}},
                              {"sin", {"Sin"}},
                              {"cos", {"Cos"}},
                              {"tan", {"Tan"}},
                              {"asin", {"Asin"}},
                              {"acos", {"Acos"}},
                              {"atan", {"Atan"}},
                              {"sinh", {"Sinh"}},
                              {"cosh", {"Cosh"}},
                              {"asinh", {"Asinh"}},
                              {"acosh", {"Acosh"}},
                              {"atanh", {"Atanh"}},
                              {"abs", {"Abs"}},
                              {"pow", {"Pow"}},
                              {"maximum", {"Max"}},
                              {"minimum", {"Min"}},
                              {"floor", {"Floor"}},
                              {"ceil", {"Ceil"}},
                              {"round", {"Round"}},
                              {"sign", {"Sign"}},
                              {"matmul", {"MatMul"}},
                              {"contiguous", {"Identity"}},
                              {"clone", {"Identity"}},
                              {"permute", {"Transpose", {{"order", "perm"}}}},
                              {"concat", {"Concat"}},
                              {"gather", {"Gather"}},
                              {"argmax", argument_of("ArgMax")},
                              {"argmin", argument_of("ArgMin")}};

using Values = std::vector<Value>;

/// One op, of which each node gets the name.
struct Step {
  Graph& graph;
  const std::string& name;
  const RecordedOp& op;
  const Values& inputs;

  Value node(const char* type, Values inputs, Attributes attributes = {}, int outputs = 1) const {
    return graph.add_node(name, {type}, std::move(inputs), std::move(attributes), outputs);
  }
  Value list(const std::vector<int64_t>& values) const { return graph.constant(values); }
  Value number(double value) const { return graph.constant(full({}, value, op.inputs[0].dtype())); }

  template <class T>
  const T& attribute(std::string_view wanted) const {
    for (const Attribute& each : op.attributes)
      if (each.name == wanted)
        if (const T* value = std::get_if<T>(&each.value)) return *value;
    throw Error(
        fmt::format("onnx: '{}' is recorded without its attribute '{}'", op.op.name, wanted));
  }
  int64_t integer(std::string_view wanted) const { return attribute<int64_t>(wanted); }
  const std::vector<int64_t>& integers(std::string_view wanted) const {
    return attribute<std::vector<int64_t>>(wanted);
  }

  Value cast(Value x, int64_t type) const { return node("Cast", {x}, {{"to", type}}); }
  Value comparison(const char* type) const {
    return cast(node(type, inputs), type_of(op.output.dtype()));
  }
  Value reduction(const char* type) const {
    const auto& axes = integers("axes");
    return axes.empty() ? node("Identity", inputs) : node(type, inputs, {{"axes", axes}});
  }
  Value in_order() const {
    return node("TopK", {inputs[0], list({integer("k")})},
                {{"axis", integer("axis")}, {"largest", integer("descending")}}, 2) +
           1;
  }
};

Value sum(const Step& s) {
  const auto& axes = s.integers("axes");
  return axes.empty() ? s.node("Identity", s.inputs)  // an empty list would mean all axes
                      : s.node("ReduceSum", {s.inputs[0], s.list(axes)});
}

Value slice(const Step& s) {
  Values inputs{s.inputs[0]};
  for (const char* part : {"begin", "end", "axis", "step"})
    inputs.push_back(s.list({s.integer(part)}));
  return s.node("Slice", inputs);
}

Value pad(const Step& s) {
  const auto axis = static_cast<size_t>(s.integer("axis"));
  const int64_t gap = s.integer("gap");
  const Value value = s.number(s.attribute<double>("value"));
  const Shape& shape = s.op.inputs[0].shape();
  std::vector<int64_t> sizes(shape.begin(), shape.end());
  const auto padded = [&](Value x, size_t at, size_t rank, int64_t before, int64_t after) {
    std::vector<int64_t> pads(2 * rank);
    pads[at] = before, pads[rank + at] = after;
    return s.node("Pad", {x, s.list(pads), value});
  };
  Value x = s.inputs[0];
  int64_t after = s.integer("after");
  if (gap > 0) {  // behind each element, along an axis of its own; the last gap is cut off again
    std::vector<int64_t> apart = sizes;
    apart.insert(apart.begin() + static_cast<int64_t>(axis) + 1, 1);
    x = padded(s.node("Reshape", {x, s.list(apart)}), axis + 1, apart.size(), 0, gap);
    sizes[axis] *= gap + 1;
    x = s.node("Reshape", {x, s.list(sizes)});
    after -= gap;
  }
  return padded(x, axis, sizes.size(), s.integer("before"), after);
}

Value linear(const Step& s) {
  const std::vector<int64_t> order{1, 0};
  const Value weight = s.node("Transpose", {s.inputs[1]}, {{"perm", order}});
  const Value product = s.node("MatMul", {s.inputs[0], weight});
  return s.inputs.size() > 2 ? s.node("Add", {product, s.inputs[2]}) : product;
}

/// Of integers a − (a mod b) is a multiple of b, which Div, rounding to 0, divides exactly.
Value floor_divide(const Step& s) {
  const Value a = s.inputs[0], b = s.inputs[1];
  if (s.op.output.is_float()) return s.node("Floor", {s.node("Div", {a, b})});
  return s.node("Div", {s.node("Sub", {a, s.node("Mod", {a, b})}), b});
}

Value remainder(const Step& s) {
  const Value a = s.inputs[0], b = s.inputs[1];
  if (!s.op.output.is_float()) return s.node("Mod", {a, b});
  return s.node("Sub", {a, s.node("Mul", {floor_divide(s), b})});
}

/// Each element of the source is added in the row that its index says.
Value scatter_add(const Step& s) {
  const Shape &source = s.op.inputs[0].shape(), &ids = s.op.inputs[1].shape();
  std::vector<int64_t> shape{ids.numel()}, column{ids.numel()};
  for (int axis = ids.rank(); axis < source.rank(); ++axis)
    shape.push_back(source[axis]), column.push_back(1);
  const Value rows = s.node("Reshape", {s.inputs[1], s.list(column)});
  const Value indices = s.node("Expand", {rows, s.list(shape)});
  const Value updates = s.node("Reshape", {s.inputs[0], s.list(shape)});
  const Value nothing = s.graph.constant(zeros(s.op.output.shape(), s.op.output.dtype()));
  return s.node("ScatterElements", {nothing, indices, updates},
                {{"axis", int64_t{0}}, {"reduction", "add"}});
}

Value one_hot(const Step& s) {
  const Value values = s.graph.constant(tensor({0, 1}));
  const Value result = s.node("OneHot", {s.inputs[0], s.list({s.integer("classes")}), values});
  return s.cast(result, type_of(s.op.output.dtype()));
}

/// index · stride + the place of the element whose index is 0.
Value flat_indices(const Step& s) {
  const std::vector<int64_t>& sizes = s.integers("shape");
  const Shape shape{std::span(sizes)};
  const auto axis = static_cast<int>(s.integer("axis"));
  std::vector<int64_t> places(static_cast<size_t>(shape.numel()));
  std::iota(places.begin(), places.end(), int64_t{0});
  const Value first = s.graph.constant(slice(tensor(places, shape), axis, 0, 1));
  const Value stride = s.list({contiguous_strides(shape)[axis]});
  return s.node("Add", {s.node("Mul", {s.inputs[0], stride}), first});
}

/// Ops that are several operators, or whose attributes are inputs there.
const std::map<std::string, std::function<Value(const Step&)>> compositions{
    {"greater", [](const Step& s) { return s.comparison("Greater"); }},
    {"greater_equal", [](const Step& s) { return s.comparison("GreaterOrEqual"); }},
    {"equal", [](const Step& s) { return s.comparison("Equal"); }},
    {"where",
     [](const Step& s) {
       return s.node("Where", {s.cast(s.inputs[0], boolean), s.inputs[1], s.inputs[2]});
     }},
    {"cast", [](const Step& s) { return s.cast(s.inputs[0], type_of(s.op.output.dtype())); }},
    {"cast to int64",
     [](const Step& s) { return s.cast(s.inputs[0], type_of(s.op.output.dtype())); }},
    {"reshape",
     [](const Step& s) {
       return s.node("Reshape", {s.inputs[0], s.list(s.integers("shape"))});
     }},
    {"expand",
     [](const Step& s) {
       return s.node("Expand", {s.inputs[0], s.list(s.integers("shape"))});
     }},
    {"slice", slice},
    {"pad", pad},
    {"linear", linear},
    {"sum", sum},
    {"max", [](const Step& s) { return s.reduction("ReduceMax"); }},
    {"logsumexp", [](const Step& s) { return s.reduction("ReduceLogSumExp"); }},
    {"floor_divide", floor_divide},
    {"scatter_add", scatter_add},
    {"one_hot", one_hot},
    {"flat_indices", flat_indices},
    {"remainder", remainder},
    {"log1p",
     [](const Step& s) {
       return s.node("Log", {s.node("Add", {s.inputs[0], s.number(1)})});
     }},
    {"expm1",
     [](const Step& s) {
       return s.node("Sub", {s.node("Exp", {s.inputs[0]}), s.number(1)});
     }},
    {"cumsum",
     [](const Step& s) {
       const std::vector<int64_t> axis{s.integer("axis")};
       return s.node("CumSum", {s.inputs[0], s.graph.constant(tensor(axis, {}))},
                     {{"reverse", s.integer("reverse")}});
     }},
    {"sort", [](const Step& s) { return s.in_order(); }},
    {"argsort", [](const Step& s) { return s.in_order(); }},
    {"topk", [](const Step& s) { return s.in_order(); }}};

Value add_operator(Graph& graph, const std::string& name, const OnnxOperator& type,
                   const RecordedOp& op, const Values& inputs) {
  Attributes attributes = type.further;
  for (Attribute attribute : op.attributes) {
    const auto found = type.renamed.find(attribute.name);
    if (found != type.renamed.end()) attribute.name = found->second;
    attributes.push_back(std::move(attribute));
  }
  return graph.add_node(name, type, inputs, std::move(attributes));
}

}  // namespace

bool has_operator(const OnnxOperators& own, const std::string& op) {
  return own.contains(op) || operators.contains(op) || compositions.contains(op);
}

Value add_op(Graph& graph, const OnnxOperators& own, const std::string& name, const RecordedOp& op,
             const Values& inputs) {
  const std::string kind = op.op.name;
  for (const OnnxOperators* table : {&own, &operators})
    if (const auto found = table->find(kind); found != table->end())
      return add_operator(graph, name, found->second, op, inputs);
  if (const auto found = compositions.find(kind); found != compositions.end())
    return found->second({graph, name, op, inputs});
  throw Error(fmt::format(
      "onnx: '{}' of {} has no counterpart in opset {}; give export_onnx() an operator for it, or "
      "write it as a composition of other ops",
      kind, op.inputs.empty() ? "nothing" : op.inputs[0].description(), OnnxGraph::opset));
}

}  // namespace gradus::onnx
