#include "layers/exchange/onnx.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "core/autograd/fused.h"
#include "core/files/atomic_file.h"
#include "core/tensor/error.h"
#include "layers/exchange/onnx_graph.h"

namespace gradus {

using onnx::Graph;
using onnx::Value;

struct OnnxGraph::Recorder : Observer {
  /// What a tensor is: equal keys read the same elements. The tensors are kept, so that no memory
  /// is used twice.
  using Key = std::tuple<const void*, uint32_t, DType, std::string, std::string>;

  static Key key(const Tensor& x) {
    const void* data = dispatch(x.dtype(), [&](auto element) -> const void* {
      return x.template data<decltype(element)>();
    });
    return {data, x.version(), x.dtype(), x.shape().text(), x.strides().text()};
  }

  explicit Recorder(OnnxOperators own) : own(std::move(own)) {}

  bool sees_all() const override { return true; }
  void on_seed(const Tensor&, const Tensor&) override {}
  void on_gradient(const std::shared_ptr<Node>&, const Tensor&) override {}

  void on_op(RecordedOp op) override {
    if (!own.contains(op.op.name) && is_seen(op)) return;
    if (is_constant(op)) {
      know(op.output, graph.constant(op.output));
      return;
    }
    std::vector<Value> inputs;
    for (const Tensor& input : op.inputs) inputs.push_back(value_of(input));
    std::string name = fmt::format("{}_{}", op.op.name, ++steps);
    std::ranges::replace(name, ' ', '_');
    know(op.output, add_op(graph, own, name, op, inputs));
  }

  /// Whether the output is an input seen in the same way, or made of ops that were seen. Those may
  /// be only a part of what an op does that has an operator.
  bool is_seen(const RecordedOp& op) const {
    const Key output = key(op.output);
    return known.contains(output) &&
           (!onnx::has_operator(own, op.op.name) ||
            std::ranges::any_of(op.inputs, [&](const Tensor& x) { return key(x) == output; }));
  }

  /// What has no elements, or is computed from none, is the same for all inputs. Operators differ
  /// in what they allow there.
  static bool is_constant(const RecordedOp& op) {
    const auto is_empty = [](const Tensor& x) { return x.numel() == 0; };
    return is_empty(op.output) || std::ranges::all_of(op.inputs, is_empty);
  }

  /// A tensor that nobody has computed becomes a constant.
  Value value_of(const Tensor& x) {
    if (const auto found = known.find(key(x)); found != known.end()) return found->second;
    return know(x, graph.constant(x));
  }

  Value know(const Tensor& x, Value value) {
    known[key(x)] = value;
    kept.push_back(x);
    return value;
  }

  OnnxOperators own;
  Graph graph;
  std::map<Key, Value> known;
  std::vector<Tensor> kept;
  int64_t steps = 0;
};

OnnxGraph::OnnxGraph(OnnxOperators operators)
    : recorder_(std::make_unique<Recorder>(std::move(operators))) {}
OnnxGraph::OnnxGraph(OnnxGraph&&) noexcept = default;
OnnxGraph::~OnnxGraph() = default;

void OnnxGraph::add_parameter(const std::string& name, const Tensor& parameter) {
  if (!recorder_->known.contains(Recorder::key(parameter)))  // one that layers share has one name
    recorder_->know(parameter, recorder_->graph.add(Graph::Role::parameter, name, parameter));
}

void OnnxGraph::add_input(const std::string& name, const Tensor& input) {
  recorder_->know(input, recorder_->graph.add(Graph::Role::input, name, input));
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
  Recorder& r = *recorder_;
  if (!r.known.contains(Recorder::key(output)))
    throw Error(fmt::format("onnx: {}, {} {}, was not computed by ops: the export cannot see how",
                            name, gradus::name_of(output.dtype()), output.description()));
  const Value source = r.value_of(output), target = r.graph.add(Graph::Role::output, name, output);
  r.graph.nodes.push_back({"Identity", "", {source}, {target}, {}});
}

void OnnxGraph::check_same_as(const OnnxGraph& other) const {
  const Graph &mine = recorder_->graph, &theirs = other.recorder_->graph;
  if (mine.nodes != theirs.nodes || mine.values.size() != theirs.values.size())
    throw Error(
        "onnx: with other inputs the model takes other steps; a graph has the same ones always");
  const std::vector<bool> needed = mine.needed();
  for (size_t i = 0; i < needed.size(); ++i) {
    const Tensor &a = mine.values[i].tensor, &b = theirs.values[i].tensor;
    if (mine.values[i].role != Graph::Role::constant || !needed[i]) continue;
    if (onnx::tensor_message("", a).text() != onnx::tensor_message("", b).text())
      throw Error(fmt::format(
          "onnx: a constant {} {} changes with the inputs or from call to call: it is computed not "
          "by ops (as the places of masked_select are), or drawn at random",
          gradus::name_of(a.dtype()), a.shape().text()));
  }
}

void OnnxGraph::write(const std::string& path) const {
  const std::string text = recorder_->graph.text();
  if (text.size() > (size_t{1} << 31) - 1)
    throw Error(
        fmt::format("onnx: {} would have {} bytes; the format allows 2 GiB", path, text.size()));
  write_file(path, text);
}

Tensor example_input(const Tensor& x, int64_t places) {
  Tensor example = Tensor::uninitialised(x.shape(), x.dtype());
  example.assign(x);
  if (places == 0) return example;
  dispatch(x.dtype(), [&](auto element) {
    using T = decltype(element);
    const std::vector<T> values = x.template to_vector<T>();
    const std::span<T> moved = example.template mutable_span<T>();
    for (size_t i = 0; i < values.size(); ++i) {  // ids stay ids: they change places
      const T next = values[(i + static_cast<size_t>(places)) % values.size()];
      moved[i] = std::is_floating_point_v<T> ? static_cast<T>(0.75 * next + 0.125) : next;
    }
  });
  return example;
}

}  // namespace gradus
