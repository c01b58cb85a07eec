#include "core/trace/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "core/autograd/autograd.h"
#include "core/autograd/node.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/tensor/tensor.h"

namespace gradus {

// --- recording ----------------------------------------------------------------------------------

class Trace::Recorder : public Observer {
 public:
  Recorder(Trace& trace, LayerNames names, bool is_fine)
      : trace_(trace), names_(std::move(names)), is_fine_(is_fine) {
    trace_ = Trace();
    trace_.live_ = std::make_unique<Live>();
  }

  bool sees_all() const override { return is_fine_; }

  void on_op(RecordedOp recorded) override {
    if (!recorded.output.requires_grad()) return;  // it is a constant of those that read it
    const Op& op = recorded.op;
    TraceNode node;
    node.op = op.name;
    node.formula = op.formula;
    node.is_view = op.is_view;
    node.attributes = std::move(recorded.attributes);
    const size_t count = recorded.inputs.size();
    if (recorded.rule) node.also = among(op.also, count);
    for (size_t i = 0; i < count; ++i) {
      node.inputs.push_back(number_of(recorded.inputs[i]));
      if (op.has_derivatives()) node.derivatives.push_back(op.derivative(i).text);
      if (recorded.rule)
        node.reads.push_back(
            among(op.has_derivatives() ? op.derivative(i).reads : Reads::everything(), count));
    }
    node.value = TraceTensor(recorded.output.detach());
    place(node);
    stacks_.emplace_back(trace_.size(), call_stack());
    outputs_.emplace_back(trace_.size(), recorded.output.node());
    ops_[recorded.output.node()->order] =
        add(std::move(node), {recorded.rule, std::move(recorded.forward)});
  }

  void on_seed(const Tensor& output, const Tensor& seed) override {
    trace_.live_->seeds.emplace_back(number_of(output), seed.detach());
  }

  void on_gradient(const std::shared_ptr<Node>& node, const Tensor& gradient) override {
    const int number = number_of(node);
    if (number < 0) return;
    if (!node->is_leaf()) trace_.nodes_[static_cast<size_t>(number)].name = node->name;
    TraceTensor& sum = trace_.nodes_[static_cast<size_t>(number)].gradient;
    const NoGrad pause;
    sum = TraceTensor(sum.defined() ? sum.values() + gradient.detach() : gradient.detach());
  }

  /// Parameters and their gradients change in place afterwards: the trace gets copies.
  void finish() {
    struct Range {
      const std::byte* end;
      Tensor copy;
    };
    std::map<const std::byte*, Range> ranges;
    auto extent = [](const Tensor& x) {
      int64_t last = 0;
      for (int axis = 0; axis < x.rank(); ++axis) last += (x.shape()[axis] - 1) * x.strides()[axis];
      const std::byte* begin = dispatch(x.dtype(), [&](auto element) {
        return reinterpret_cast<const std::byte*>(x.data<decltype(element)>());
      });
      return std::pair(begin, begin + (last + 1) * static_cast<int64_t>(size_of(x.dtype())));
    };
    auto add_range = [&](const TraceTensor& x) {
      if (!x.defined() || x.values().numel() == 0) return;
      auto [begin, end] = extent(x.values());
      for (auto at = ranges.upper_bound(begin); true;) {  // merge what overlaps
        if (at != ranges.begin() && std::prev(at)->second.end > begin)
          at = std::prev(at);
        else if (at == ranges.end() || at->first >= end)
          break;
        begin = std::min(begin, at->first);
        end = std::max(end, at->second.end);
        at = ranges.erase(at);
      }
      ranges[begin] = {end, {}};
    };
    for (const TraceNode& node : trace_.nodes_)
      if (node.kind != TraceNode::Kind::op) {
        add_range(node.value);
        add_range(node.gradient);
      }
    auto copied = [&](TraceTensor& x) {
      if (!x.defined() || x.values().numel() == 0) return;
      const Tensor& old = x.values();
      const auto [begin, end] = extent(old);
      auto at = ranges.upper_bound(begin);
      if (at == ranges.begin() || std::prev(at)->second.end <= begin) return;
      --at;
      const int64_t width = static_cast<int64_t>(size_of(old.dtype()));
      Tensor& copy = at->second.copy;
      dispatch(old.dtype(), [&](auto element) {
        if (copy.defined()) return;
        const int64_t count = (at->second.end - at->first) / width;
        copy = Tensor::uninitialised({count}, old.dtype());
        std::memcpy(copy.mutable_data<decltype(element)>(), at->first,
                    static_cast<size_t>(count * width));
      });
      x = TraceTensor(copy.view(old.shape(), old.strides(), (begin - at->first) / width));
    };
    for (TraceNode& node : trace_.nodes_) {
      copied(node.value);
      copied(node.gradient);
    }
    for (const auto& [number, leaf] : leaves_)
      trace_.nodes_[static_cast<size_t>(number)].name = leaf.name();
    for (const auto& [number, output] : outputs_)
      if (const std::shared_ptr<Node> node = output.lock())
        trace_.nodes_[static_cast<size_t>(number)].name = node->name;
    for (const auto& [number, stack] : stacks_)
      trace_.nodes_[static_cast<size_t>(number)].source = source_lines(stack);
    trace_.connect();
    for (TraceNode& node : trace_.nodes_)
      if (node.path.empty() && !node.parameters.empty()) {  // at least where its weights live
        const std::string& name = trace_.node(node.parameters[0]).name;
        if (const size_t dot = name.rfind('.'); dot != std::string::npos)
          node.path = name.substr(0, dot);
      }
  }

 private:
  /// Without inputs that there are not.
  static Reads among(Reads reads, size_t count) {
    const uint32_t inputs = count < 31 ? (uint32_t{1} << count) - 1 : Reads::all_inputs().bits;
    return {reads.bits & (inputs | Reads::output_bit)};
  }

  /// Fills in the layer and the time step of the running scopes.
  void place(TraceNode& node) const {
    auto prepend = [&](const std::string& name) {
      node.path = name + (name.empty() || node.path.empty() ? "" : ".") + node.path;
    };
    bool complete = false;
    for (const Scope* scope = Scope::innermost(); scope; scope = scope->outer()) {
      if (node.time < 0) node.time = scope->time();
      if (complete) continue;
      if (scope->part()) prepend(scope->part());
      if (!scope->layer()) continue;
      const auto known = names_.find({scope->layer(), *scope->type()});
      complete = known != names_.end();  // a known name is a whole path
      prepend(complete ? known->second : short_name(scope->type()->name()));
    }
  }

  using Place = std::tuple<const void*, std::vector<int64_t>, std::vector<int64_t>>;

  int add(TraceNode node, Live::Runnable runnable) {
    trace_.nodes_.push_back(std::move(node));
    trace_.live_->ops.push_back(std::move(runnable));
    return trace_.size() - 1;
  }

  /// The node that made `x`, or a new one for what was there before.
  int number_of(const Tensor& x) {
    if (x.requires_grad() && !x.node()->is_leaf()) {
      if (const auto found = ops_.find(x.node()->order); found != ops_.end()) return found->second;
      return ops_[x.node()->order] = add(leaf(x, TraceNode::Kind::parameter), {});
    }
    if (x.requires_grad()) {
      const auto [found, is_new] = parameters_.try_emplace(x.node().get(), trace_.size());
      if (!is_new) return found->second;
      leaves_.emplace_back(found->second, x);
      return add(leaf(x, TraceNode::Kind::parameter), {});
    }
    const void* data = dispatch(
        x.dtype(), [&](auto element) -> const void* { return x.data<decltype(element)>(); });
    const Place place{
        data, {x.shape().begin(), x.shape().end()}, {x.strides().begin(), x.strides().end()}};
    const auto [found, is_new] = constants_.try_emplace(place, trace_.size());
    return is_new ? add(leaf(x, TraceNode::Kind::constant), {}) : found->second;
  }

  /// −1 for what was made before the recording and not used in it.
  int number_of(const std::shared_ptr<Node>& node) const {
    if (node->is_leaf()) {
      const auto found = parameters_.find(node.get());
      return found == parameters_.end() ? -1 : found->second;
    }
    const auto found = ops_.find(node->order);
    return found == ops_.end() ? -1 : found->second;
  }

  static TraceNode leaf(const Tensor& x, TraceNode::Kind kind) {
    TraceNode node;
    node.kind = kind;
    node.value = TraceTensor(x.detach());
    return node;
  }

  Trace& trace_;
  LayerNames names_;
  bool is_fine_;
  std::vector<std::pair<int, std::vector<void*>>> stacks_;
  std::unordered_map<uint64_t, int> ops_;            // by the order in which they were made
  std::unordered_map<const Node*, int> parameters_;  // kept alive by leaves_
  std::map<Place, int> constants_;                   // kept alive by their nodes
  std::vector<std::pair<int, Tensor>> leaves_;
  std::vector<std::pair<int, std::weak_ptr<Node>>> outputs_;  // which may get a name later
};

Trace::Recording::Recording(Trace& trace, LayerNames names, bool is_fine)
    : recorder_(std::make_unique<Recorder>(trace, std::move(names), is_fine)), before_(observer) {
  observer = recorder_.get();
}

Trace::Recording::~Recording() {
  observer = before_;
  recorder_->finish();
}

Trace::Recording Trace::record(LayerNames names) { return {*this, std::move(names)}; }

// --- reading ------------------------------------------------------------------------------------

Trace::Trace() = default;
Trace::Trace(Trace&&) noexcept = default;
Trace& Trace::operator=(Trace&&) noexcept = default;
Trace::~Trace() = default;

/// Fills in what follows from inputs and reads. Its time and memory grow with the trace's size
/// only, whatever a file says.
void Trace::connect() {
  const auto at = [this](int number) -> TraceNode& { return nodes_[static_cast<size_t>(number)]; };
  users_.assign(nodes_.size(), {});
  for (TraceNode& node : nodes_) node.kept.clear();
  std::vector<int> owners(nodes_.size());  // of the memory that a node shows
  for (int number = 0; number < size(); ++number) {
    TraceNode& node = at(number);
    const bool is_view = node.is_view && !node.inputs.empty();
    owners[static_cast<size_t>(number)] =
        is_view ? owners[static_cast<size_t>(node.inputs[0])] : number;
    node.parameters.clear();
    for (int input : node.inputs) {
      std::vector<int>& users = users_[static_cast<size_t>(input)];
      if (users.empty() || users.back() != number) users.push_back(number);
      const int owner = owners[static_cast<size_t>(input)];
      if (at(owner).kind == TraceNode::Kind::parameter) node.parameters.push_back(owner);
    }
    const auto keep = [&](int value, int input) {  // −1 for no particular one
      std::vector<TraceNode::Reader>& kept = at(value).kept;
      if (kept.empty() || kept.back().node != number) kept.push_back({number, {}});
      std::vector<int>& inputs = kept.back().inputs;
      if (input >= 0 && (inputs.empty() || inputs.back() != input)) inputs.push_back(input);
    };
    const auto keep_all = [&](Reads reads, int input) {
      const auto keep_owned = [&](int value) {
        keep(value, input);
        if (const int owner = owners[static_cast<size_t>(value)]; owner != value)
          keep(owner, input);
      };
      for (size_t i = 0; i < node.inputs.size(); ++i)
        if (reads.input(i)) keep_owned(node.inputs[i]);
      if (reads.output()) keep_owned(number);
    };
    Reads together = node.also;
    for (size_t i = 0; i < node.reads.size(); ++i) {
      if (at(node.inputs[i]).kind == TraceNode::Kind::constant) continue;
      if (node.inputs.size() > 31)
        together = together | node.reads[i];
      else
        keep_all(node.reads[i], static_cast<int>(i));
    }
    keep_all(together, -1);
  }
}

const TraceNode& Trace::node(int number) const {
  if (number < 0 || number >= size())
    throw Error(
        nodes_.empty()
            ? fmt::format("trace: there is no node {}, the trace is empty", number)
            : fmt::format("trace: there is no node {}, they go from 0 to {}", number, size() - 1));
  return nodes_[static_cast<size_t>(number)];
}

std::vector<TraceTensor> Trace::sent(int number) const {
  const TraceNode& node = this->node(number);
  if (!live_) return sent_[static_cast<size_t>(number)];
  std::vector<TraceTensor> result(node.inputs.size());
  const Rule& rule = live_->ops[static_cast<size_t>(number)].rule;
  if (!rule || !node.gradient.defined()) return result;
  std::vector<Tensor> inputs;
  std::vector<bool> wanted;
  for (int input : node.inputs) {
    inputs.push_back(this->node(input).value.values());
    wanted.push_back(this->node(input).kind != TraceNode::Kind::constant);
  }
  const NoGrad pause;
  const std::vector<Tensor> gradients = apply_rule(
      node.op.c_str(), rule, inputs, node.value.values(), node.gradient.values(), wanted);
  for (size_t i = 0; i < gradients.size(); ++i) result[i] = TraceTensor(gradients[i]);
  return result;
}

const Trace::Live& Trace::live(const char* asker) const {
  if (!live_)
    throw Error(
        fmt::format("{}: this trace is from a file; only the program that records can run "
                    "ops again",
                    asker));
  return *live_;
}

const Rule& Trace::rule(int number) const {
  node(number);
  return live("rule").ops[static_cast<size_t>(number)].rule;
}

const Forward& Trace::forward(int number) const {
  node(number);
  return live("forward").ops[static_cast<size_t>(number)].forward;
}

void Trace::set_verdict(int number, Verdict verdict) {
  node(number);
  nodes_[static_cast<size_t>(number)].verdict = std::move(verdict);
}

const std::vector<int>& Trace::users(int number) const {
  node(number);
  return users_[static_cast<size_t>(number)];
}

std::string Trace::description(int number) const {
  const TraceNode& n = node(number);
  std::string text = n.kind == TraceNode::Kind::op          ? n.op
                     : n.kind == TraceNode::Kind::parameter ? "parameter"
                                                            : "constant";
  if (!n.name.empty()) text += fmt::format(" '{}'", n.name);
  text += fmt::format(", node {}", number);
  if (!n.path.empty()) text += ", in " + n.path;
  if (n.time >= 0) text += fmt::format(", time {}", n.time);
  return text;
}

}  // namespace gradus
