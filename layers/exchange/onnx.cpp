#include "layers/exchange/onnx.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>
#include <utility>

#include "core/autograd/fused.h"
#include "core/files/atomic_file.h"
#include "core/ops/ops.h"

namespace gradus {

namespace {

// --- the file's encoding ------------------------------------------------------------------------

/// A message in the wire format of Protocol Buffers: fields of a number and a value, where a value
/// is a variable-length integer or bytes with their length. Writing it takes these few lines, where
/// the library would be one more thing to link for everybody who uses a layer.
class Message {
 public:
  Message& integer(int field, int64_t value) {
    varint(static_cast<uint64_t>(field) << 3);
    varint(static_cast<uint64_t>(value));
    return *this;
  }
  Message& bytes(int field, std::string_view value) {
    varint(static_cast<uint64_t>(field) << 3 | 2);
    varint(value.size());
    text_ += value;
    return *this;
  }
  Message& message(int field, const Message& value) { return bytes(field, value.text_); }
  const std::string& text() const { return text_; }

 private:
  void varint(uint64_t value) {
    for (; value >= 128; value >>= 7) text_ += static_cast<char>(value % 128 + 128);
    text_ += static_cast<char>(value);
  }
  std::string text_;
};

// The numbers are those of onnx.proto3.
int64_t type_of(DType dtype) {
  return dtype == DType::float32 ? 1 : dtype == DType::float64 ? 11 : 7;
}
constexpr int64_t boolean = 9;

Message tensor_message(const std::string& name, const Tensor& x) {
  Message m;
  for (int64_t size : x.shape()) m.integer(1, size);
  m.integer(2, type_of(x.dtype())).bytes(8, name);
  dispatch(x.dtype(), [&](auto element) {
    const auto values = x.template to_vector<decltype(element)>();
    m.bytes(9, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(element)});
  });
  return m;
}

Message value_message(const std::string& name, const Tensor& x) {
  Message shape;
  for (int64_t size : x.shape()) shape.message(1, Message().integer(1, size));
  const Message type =
      Message().message(1, Message().integer(1, type_of(x.dtype())).message(2, shape));
  return Message().bytes(1, name).message(2, type);
}

// --- the graph ----------------------------------------------------------------------------------

using Names = std::vector<std::string>;
using IntegerAttribute = std::pair<const char*, std::vector<int64_t>>;

const std::map<std::string, const char*> elementwise{
    {"add", "Add"},           {"subtract", "Sub"},
    {"multiply", "Mul"},      {"divide", "Div"},
    {"negate", "Neg"},        {"exp", "Exp"},
    {"log", "Log"},           {"tanh", "Tanh"},
    {"sigmoid", "Sigmoid"},   {"relu", "Relu"},
    {"softplus", "Softplus"}, {"erf", "Erf"},
    {"sqrt", "Sqrt"},         {"sin", "Sin"},
    {"cos", "Cos"},           {"abs", "Abs"},
    {"pow", "Pow"},           {"maximum", "Max"},
    {"matmul", "MatMul"},     {"contiguous", "Identity"}};
const std::map<std::string, const char*> comparisons{
    {"greater", "Greater"}, {"greater_equal", "GreaterOrEqual"}, {"equal", "Equal"}};
const std::map<std::string, const char*> reductions{{"max", "ReduceMax"},
                                                    {"logsumexp", "ReduceLogSumExp"}};

std::vector<int64_t> sizes(const Shape& shape) { return {shape.begin(), shape.end()}; }

bool same_bytes(const Tensor& a, const Tensor& b) {
  return tensor_message("", a).text() == tensor_message("", b).text();
}

}  // namespace

struct OnnxGraph::Recorder : Observer {
  /// What a tensor is: equal keys read the same elements. The tensors are kept, so that no memory
  /// is used twice.
  using Key = std::tuple<const void*, DType, std::string, std::string>;

  static Key key(const Tensor& x) {
    const void* data = dispatch(x.dtype(), [&](auto element) -> const void* {
      return x.template data<decltype(element)>();
    });
    return {data, x.dtype(), x.shape().text(), x.strides().text()};
  }

  bool sees_all() const override { return true; }
  void on_seed(const Tensor&, const Tensor&) override {}
  void on_gradient(const std::shared_ptr<Node>&, const Tensor&) override {}

  void on_op(RecordedOp recorded) override {
    const Op& op = recorded.op;
    const Tensor& output = recorded.output;
    const std::vector<Tensor> inputs(recorded.inputs.begin(), recorded.inputs.end());
    if (names.contains(key(output))) return;  // made of steps that were seen, or a view of itself
    Names given;
    for (const Tensor& input : inputs) given.push_back(name_of(input));
    const std::string name = fmt::format("{}_{}", op.name, ++steps);
    write_step(op, name, output, inputs, given, recorded.forward);
    know(output, name);
  }

  /// Its name; a tensor that nobody has computed becomes a constant.
  std::string name_of(const Tensor& x) {
    if (const auto found = names.find(key(x)); found != names.end()) return found->second;
    const std::string name = fmt::format("constant_{}", constants.size());
    constants.emplace_back(name, copy_of(x));
    know(x, name);
    return name;
  }
  std::string constant(const std::vector<int64_t>& values) {
    std::string& name = lists[values];
    if (name.empty()) name = name_of(tensor(values, {static_cast<int64_t>(values.size())}));
    return name;
  }

  void know(const Tensor& x, const std::string& name) {
    names[key(x)] = name;
    kept.push_back(x);
  }

  void node(const char* type, const Names& inputs, const std::string& output,
            const std::vector<IntegerAttribute>& integers = {}) {
    Message m;
    for (const std::string& input : inputs) m.bytes(1, input);
    m.bytes(2, output).bytes(3, output).bytes(4, type);
    for (const auto& [name, values] : integers) {
      Message attribute;
      attribute.bytes(1, name);
      const bool is_list = std::strcmp(name, "axes") == 0 || std::strcmp(name, "perm") == 0;
      for (int64_t value : values) attribute.integer(is_list ? 8 : 3, value);
      m.message(5, attribute.integer(20, is_list ? 7 : 2));
    }
    nodes.message(1, m);
  }

  void write_step(const Op& op, const std::string& name, const Tensor& y,
                  const std::vector<Tensor>& x, const Names& given, const Forward& forward) {
    const std::string kind = op.name;
    if (const auto found = elementwise.find(kind); found != elementwise.end()) {
      node(found->second, given, name);
    } else if (const auto found = comparisons.find(kind); found != comparisons.end()) {
      node(found->second, given, name + "_holds");
      node("Cast", {name + "_holds"}, name, {{"to", {type_of(y.dtype())}}});
    } else if (kind == "where") {
      node("Cast", {given[0]}, name + "_condition", {{"to", {boolean}}});
      node("Where", {name + "_condition", given[1], given[2]}, name);
    } else if (kind == "linear") {
      node("Transpose", {given[1]}, name + "_weight", {{"perm", {1, 0}}});
      const bool has_bias = given.size() > 2;
      node("MatMul", {given[0], name + "_weight"}, has_bias ? name + "_product" : name);
      if (has_bias) node("Add", {name + "_product", given[2]}, name);
    } else if (kind == "gather") {
      node("Gather", given, name, {{"axis", {0}}});
    } else if (kind == "cast" || kind == "cast to int64") {
      node("Cast", given, name, {{"to", {type_of(y.dtype())}}});
    } else if (kind == "reshape") {
      node("Reshape", {given[0], constant(sizes(y.shape()))}, name);
    } else if (kind == "expand") {
      node("Expand", {given[0], constant(sizes(y.shape()))}, name);
    } else if (kind == "permute") {
      node("Transpose", given, name, {{"perm", order_of(x[0], y)}});
    } else if (kind == "concat") {
      node("Concat", given, name, {{"axis", {differing_axis(x[0].shape(), y.shape())}}});
    } else if (kind == "slice") {
      write_slice(name, x[0], y, given[0]);
    } else if (kind == "pad") {
      write_pad(name, x[0], y, given[0], forward);
    } else if (kind == "sum") {
      node("ReduceSum", {given[0], constant(reduced_axes(x[0], y))}, name, {{"keepdims", {1}}});
    } else if (const auto found = reductions.find(kind); found != reductions.end()) {
      node(found->second, given, name, {{"axes", reduced_axes(x[0], y)}, {"keepdims", {1}}});
    } else if (kind == "argmax") {
      node("ArgMax", given, name, {{"axis", {searched_axis(x[0], y, forward)}}, {"keepdims", {0}}});
    } else {
      throw Error(fmt::format(
          "onnx: '{}' of {} has no counterpart in opset {}; write it as a composition of "
          "other ops for the export",
          kind, x.empty() ? "nothing" : x[0].description(), opset));
    }
  }

  // --- what is done to the axes, read off the shapes and strides ---

  static int64_t differing_axis(const Shape& a, const Shape& b) {
    for (int axis = 0; axis < a.rank(); ++axis)
      if (a[axis] != b[axis]) return axis;
    return 0;
  }
  /// Those that keepdims has left with size 1.
  static std::vector<int64_t> reduced_axes(const Tensor& x, const Tensor& y) {
    std::vector<int64_t> axes;
    for (int axis = 0; axis < x.rank(); ++axis)
      if (x.shape()[axis] != y.shape()[axis]) axes.push_back(axis);
    if (axes.empty()) axes.push_back(0);  // of size 1: an empty list would mean all of them
    return axes;
  }
  /// Axis k of y is axis order[k] of x: the one of its size and stride.
  static std::vector<int64_t> order_of(const Tensor& x, const Tensor& y) {
    std::vector<int64_t> order;
    for (int k = 0; k < y.rank(); ++k)
      for (int axis = 0; axis < x.rank(); ++axis)
        if (x.shape()[axis] == y.shape()[k] && x.strides()[axis] == y.strides()[k] &&
            std::ranges::find(order, axis) == order.end()) {
          order.push_back(axis);
          break;
        }
    return order;
  }

  void write_slice(const std::string& name, const Tensor& x, const Tensor& y,
                   const std::string& given) {
    const int64_t axis = differing_axis(x.shape(), y.shape());
    const int a = static_cast<int>(axis);
    const int64_t count = y.shape()[a], stride = x.strides()[a];
    const int64_t offset = dispatch(x.dtype(), [&](auto element) {
      return static_cast<int64_t>(y.template data<decltype(element)>() -
                                  x.template data<decltype(element)>());
    });
    const int64_t begin = stride == 0 ? 0 : offset / stride;
    const int64_t step = count > 1 && stride != 0 ? y.strides()[a] / stride : 1;
    const int64_t end = count == 0 ? begin : begin + (count - 1) * step + 1;
    node("Slice", {given, constant({begin}), constant({end}), constant({axis}), constant({step})},
         name);
  }

  /// Where x comes to lie in y, and what lies around it, is seen by padding a 0 and a 1.
  void write_pad(const std::string& name, const Tensor& x, const Tensor& y,
                 const std::string& given, const Forward& forward) {
    Observer* const before = std::exchange(observer, nullptr);
    const std::vector<double> zero = forward({zeros(x.shape(), y.dtype())}).to_vector<double>(),
                              one = forward({ones(x.shape(), y.dtype())}).to_vector<double>();
    observer = before;
    const int axis = static_cast<int>(differing_axis(x.shape(), y.shape()));
    int64_t inner = 1;
    for (int k = axis + 1; k < y.rank(); ++k) inner *= y.shape()[k];
    std::vector<int64_t> places;
    double value = 0;
    for (int64_t i = 0; i < y.shape()[axis] && inner > 0; ++i) {
      const auto at = static_cast<size_t>(i * inner);
      if (zero[at] != one[at])
        places.push_back(i);
      else
        value = zero[at];
    }
    if (places.empty() || places.back() - places.front() + 1 != x.shape()[axis])
      throw Error(
          fmt::format("onnx: 'pad' of {} to {} with gaps, or of nothing, has no counterpart "
                      "in opset {}",
                      x.description(), y.shape().text(), opset));
    std::vector<int64_t> pads(static_cast<size_t>(2 * y.rank()));
    pads[static_cast<size_t>(axis)] = places.front();
    pads[static_cast<size_t>(y.rank() + axis)] = y.shape()[axis] - 1 - places.back();
    node("Pad", {given, constant(pads), name_of(full({}, value, y.dtype()))}, name);
  }

  /// Along which axis argmax looks is seen by where it finds a single 1, one place along it.
  static int64_t searched_axis(const Tensor& x, const Tensor& y, const Forward& forward) {
    Observer* const before = std::exchange(observer, nullptr);
    int found = -1;
    for (int axis = 0; axis < x.rank(); ++axis) {
      if (x.shape().without(axis) != y.shape()) continue;
      if (found < 0) found = axis;
      if (x.shape()[axis] < 2 || y.numel() == 0) continue;
      int64_t inner = 1;
      for (int k = axis + 1; k < x.rank(); ++k) inner *= x.shape()[k];
      std::vector<float> values(static_cast<size_t>(x.numel()));
      values[static_cast<size_t>(inner)] = 1;
      if (forward({tensor(values, x.shape())}).to_vector<int64_t>()[0] == 1) found = axis;
    }
    observer = before;
    return found;
  }

  static Tensor copy_of(const Tensor& x) {
    Tensor copy = Tensor::uninitialised(x.shape(), x.dtype());
    copy.assign(x);
    return copy;
  }

  std::map<Key, std::string> names;
  std::map<std::vector<int64_t>, std::string> lists;  // constant ones, of sizes and axes
  std::vector<Tensor> kept;
  int64_t steps = 0;
  Message nodes, inputs, outputs;
  std::vector<std::pair<std::string, Tensor>> parameters, constants;
};

OnnxGraph::OnnxGraph() : recorder_(std::make_unique<Recorder>()) {}
OnnxGraph::OnnxGraph(OnnxGraph&&) noexcept = default;
OnnxGraph::~OnnxGraph() = default;

void OnnxGraph::add_parameter(const std::string& name, const Tensor& parameter) {
  recorder_->parameters.emplace_back(name, parameter);
  recorder_->know(parameter, name);
}

void OnnxGraph::add_input(const std::string& name, const Tensor& input) {
  recorder_->inputs.message(11, value_message(name, input));
  recorder_->know(input, name);
}

void OnnxGraph::record(const std::function<void()>& forward) {
  struct Watching {
    explicit Watching(Observer& mine) : before(std::exchange(observer, &mine)) {}
    ~Watching() { observer = before; }
    Observer* before;
  };
  const NoGrad pause;
  const NoFusion of_other_ops;
  const Watching watching(*recorder_);
  forward();
}

void OnnxGraph::add_output(const std::string& name, const Tensor& output) {
  if (!recorder_->names.contains(Recorder::key(output)))
    throw Error(fmt::format("onnx: {}, {} {}, was not computed by ops: the export cannot see how",
                            name, gradus::name_of(output.dtype()), output.description()));
  recorder_->node("Identity", {recorder_->name_of(output)}, name);
  recorder_->outputs.message(12, value_message(name, output));
}

void OnnxGraph::check_same_as(const OnnxGraph& other) const {
  const auto &mine = recorder_->constants, &theirs = other.recorder_->constants;
  const bool same_steps =
      recorder_->nodes.text() == other.recorder_->nodes.text() && mine.size() == theirs.size();
  if (!same_steps)
    throw Error(
        "onnx: with other inputs the model takes other steps; a graph has the same ones always");
  for (size_t i = 0; i < mine.size(); ++i)
    if (!same_bytes(mine[i].second, theirs[i].second))
      throw Error(
          fmt::format("onnx: a constant {} {} changes with the inputs or from call to call: it is "
                      "computed not by ops (as one_hot and pick are), or drawn at random",
                      gradus::name_of(mine[i].second.dtype()), mine[i].second.shape().text()));
}

void OnnxGraph::write(const std::string& path) const {
  const Recorder& r = *recorder_;
  Message initializers;
  for (const auto* list : {&r.parameters, &r.constants})
    for (const auto& [name, x] : *list) initializers.message(5, tensor_message(name, x));
  Message title;
  title.bytes(2, "gradus");
  const std::string graph =
      r.nodes.text() + title.text() + initializers.text() + r.inputs.text() + r.outputs.text();
  const Message model = Message()
                            .integer(1, 7)  // the version of the format that came with opset 13
                            .bytes(2, "gradus")
                            .bytes(7, graph)
                            .message(8, Message().bytes(1, "").integer(2, opset));
  if (model.text().size() > (size_t{1} << 31) - 1)
    throw Error(fmt::format("onnx: {} would have {} bytes; the format allows 2 GiB", path,
                            model.text().size()));
  write_file(path, model.text());
}

Tensor other_values(const Tensor& x) {
  Tensor other = Tensor::uninitialised(x.shape(), x.dtype());
  dispatch(x.dtype(), [&](auto element) {
    using T = decltype(element);
    const std::vector<T> values = x.template to_vector<T>();
    const std::span<T> others = other.template mutable_span<T>();
    for (size_t i = 0; i < values.size(); ++i) {  // ids stay ids: they change places
      const T next = values[(i + 1) % values.size()];
      others[i] = std::is_floating_point_v<T> ? static_cast<T>(0.75 * next + 0.125) : next;
    }
  });
  return other;
}

}  // namespace gradus
