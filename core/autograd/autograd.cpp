#include "core/autograd/autograd.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "core/kernels/small_blocks.h"
#include "core/ops/ops.h"
#include "core/tensor/error.h"

namespace gradus {

namespace {

thread_local bool recording = true;
std::atomic<uint64_t> next_order{1}, next_pass{1};

const std::string no_name;
const Tensor no_tensor;

}  // namespace

// --- recording
// ------------------------------------------------------------------------------------

NoGrad::NoGrad(bool active) : before_(recording) { recording = recording && !active; }
NoGrad::~NoGrad() { recording = before_; }

bool is_recording(std::span<const Tensor> inputs) {
  return recording && std::any_of(inputs.begin(), inputs.end(),
                                  [](const Tensor& x) { return x.requires_grad(); });
}

Tensor record(const Op& op, Tensor output, std::vector<Tensor> inputs, Rule rule, Forward forward) {
  if (!is_recording(inputs)) {
    if (observer && observer->sees_all())
      observer->on_step(op, output, inputs, rule, std::move(forward));
    return output;
  }
  auto node = std::allocate_shared<Node>(SmallAllocator<Node>());
  node->op = op.name;
  node->inputs = std::move(inputs);
  node->rule = std::move(rule);
  node->order = next_order++;
  output.set_node(node);
  if (Observer* const o = observing())
    o->on_step(op, output, node->inputs, node->rule, std::move(forward));
  return output;
}

Node::~Node() {
  // Releasing the inputs may release the nodes behind them, and so on for millions of steps: the
  // outermost destructor empties a list instead of letting them nest.
  thread_local std::vector<Tensor>* waiting = nullptr;
  if (inputs.empty()) return;
  if (waiting) {
    for (Tensor& input : inputs) waiting->push_back(std::move(input));
    return;
  }
  std::vector<Tensor> list = std::move(inputs);
  waiting = &list;
  while (!list.empty()) {
    const Tensor last = std::move(list.back());
    list.pop_back();
  }
  waiting = nullptr;
}

// --- the tensor's own part
// --------------------------------------------------------------------------

void Tensor::set_node(std::shared_ptr<Node> node) const { impl().node = std::move(node); }

const Tensor& Tensor::require_grad() const {
  if (!is_float())
    throw Error(
        fmt::format("require_grad: {} holds integers, which have no derivative", description()));
  if (node() && node()->order != 0)
    throw Error(fmt::format("require_grad: {} is the result of '{}', not a leaf; detach() it first",
                            description(), node()->op));
  if (!node()) set_node(std::allocate_shared<Node>(SmallAllocator<Node>()));
  return *this;
}

const Tensor& Tensor::grad() const { return requires_grad() ? node()->gradient : no_tensor; }

void Tensor::set_grad(Tensor gradient) const {
  if (!requires_grad()) {
    if (!gradient.defined()) return;
    throw Error(fmt::format("set_grad: {} does not require a gradient", description()));
  }
  if (gradient.defined() && gradient.shape() != shape())
    throw Error(fmt::format("set_grad: {} cannot have a gradient of shape {}", description(),
                            gradient.shape().text()));
  node()->gradient = std::move(gradient);
}

Tensor Tensor::detach() const { return view(shape(), strides()); }

void Tensor::on_gradient(std::function<Tensor(const Tensor&)> hook) const {
  if (!requires_grad())
    throw Error(fmt::format("on_gradient: {} does not require a gradient", description()));
  node()->hooks.push_back(std::move(hook));
}

const std::string& Tensor::name() const { return requires_grad() ? node()->name : no_name; }

void Tensor::set_name(std::string name) const {
  if (!requires_grad()) throw Error("set_name: only tensors that require a gradient have a name");
  node()->name = std::move(name);
}

// --- the backward pass
// ------------------------------------------------------------------------------

namespace {

/// The sum over what broadcasting had stretched.
Tensor sum_to(const Tensor& gradient, const Shape& shape) {
  if (gradient.shape() == shape) return gradient;
  const int shift = gradient.rank() - shape.rank();
  std::vector<int> axes;
  for (int axis = 0; axis < gradient.rank(); ++axis)
    if (axis < shift || (shape[axis - shift] == 1 && gradient.shape()[axis] != 1))
      axes.push_back(axis);
  return reshape(sum(gradient, axes, keepdims), shape);
}

std::vector<Gradient> checked_gradients(const char* op, const Rule& rule, const Backward& step) {
  std::vector<Gradient> gradients = rule(step);
  if (gradients.size() != step.inputs.size())
    throw Error(fmt::format("backward: the rule of '{}' gave {} gradients for {} inputs", op,
                            gradients.size(), step.inputs.size()));
  return gradients;
}

class Pass {
 public:
  Pass(bool create_graph, bool retain_graph)
      : id_(next_pass++), create_graph_(create_graph), keep_(retain_graph || create_graph) {}

  void collect(const std::vector<Tensor>& outputs) {
    std::vector<Tensor> stack;
    auto visit = [&](const Tensor& x) {
      if (!x.requires_grad() || x.node()->pass == id_) return;
      Node& node = *x.node();
      node.pass = id_;
      node.wanted = false;
      node.owns_pending = false;
      node.pending = {};
      stack.push_back(x);
    };
    for (const Tensor& output : outputs) visit(output);
    while (!stack.empty()) {
      steps_.push_back(std::move(stack.back()));
      stack.pop_back();
      for (const Tensor& input : Node_of(steps_.back()).inputs) visit(input);
    }
    std::sort(steps_.begin(), steps_.end(),
              [](const Tensor& a, const Tensor& b) { return a.node()->order < b.node()->order; });
  }

  bool reached(const Tensor& x) const { return x.requires_grad() && x.node()->pass == id_; }

  /// Marks what lies between the outputs and the nodes that were marked as wanted before.
  void spread_wanted() {
    for (const Tensor& step : steps_) {
      Node& node = Node_of(step);
      for (const Tensor& input : node.inputs)
        node.wanted = node.wanted || (input.requires_grad() && input.node()->wanted);
    }
  }

  const std::vector<Tensor>& steps() const { return steps_; }

  void accumulate(const Tensor& input, Gradient gradient) {
    Node& node = *input.node();
    Tensor& pending = node.pending;
    if (gradient.whole) {
      if (pending.defined() && node.owns_pending && !create_graph_) {
        gradient.add_to(pending);
        return;
      }
      gradient.value = gradient.whole();
      if (!pending.defined()) {
        pending = sum_to(gradient.value, input.shape());
        node.owns_pending = pending.is_contiguous();
        return;
      }
    }
    if (!gradient.value.defined()) return;
    const Tensor value = sum_to(gradient.value, input.shape());
    if (!pending.defined()) {
      pending = value;
    } else if (node.owns_pending && !create_graph_) {
      add_into(pending, value);
    } else {
      pending = pending + value;
      node.owns_pending = true;
    }
  }

  /// Consumes the steps from the last to the first. `keep(tensor, gradient)` sees every wanted
  /// leaf's and every explicitly wanted tensor's gradient.
  template <class Keep>
  void run(Keep keep) {
    NoGrad pause(!create_graph_);
    std::vector<bool> wanted;
    for (; !steps_.empty(); steps_.pop_back()) {
      const Tensor output = std::move(steps_.back());
      Node& node = Node_of(output);
      Tensor gradient = std::move(node.pending);
      node.pending = {};
      if (gradient.defined() && node.wanted) {
        for (const auto& hook : node.hooks)
          if (Tensor replaced = hook(gradient); replaced.defined()) {
            if (replaced.shape() != gradient.shape() || replaced.dtype() != gradient.dtype())
              throw Error(fmt::format(
                  "on_gradient: a hook of {} replaced a gradient of {} {} by {} {}",
                  output.description(), name_of(gradient.dtype()), gradient.shape().text(),
                  name_of(replaced.dtype()), replaced.shape().text()));
            gradient = replaced;
          }
        if (Observer* const o = observing()) o->on_gradient(output, gradient);
        keep(output, gradient);
        if (!node.inputs.empty()) propagate(node, output, gradient, wanted);
      }
      if (!keep_ && !node.inputs.empty()) {
        node.inputs.clear();
        node.rule = nullptr;
        node.released = true;
      }
    }
  }

 private:
  static Node& Node_of(const Tensor& x) { return *x.node(); }

  void propagate(Node& node, const Tensor& output, const Tensor& gradient,
                 std::vector<bool>& wanted) {
    bool any = false;
    wanted.clear();
    for (const Tensor& input : node.inputs) {
      wanted.push_back(input.requires_grad() && input.node()->wanted);
      any = any || wanted.back();
    }
    if (!any) return;
    if (!node.rule)
      throw Error(
          fmt::format("backward: '{}' has no derivative, yet a gradient arrived at its "
                      "result {}; detach() it if it is meant as a constant",
                      node.op, output.shape().text()));
    std::vector<Gradient> gradients =
        checked_gradients(node.op, node.rule, {node.inputs, output, gradient, wanted});
    for (size_t i = 0; i < gradients.size(); ++i)
      if (wanted[i]) accumulate(node.inputs[i], std::move(gradients[i]));
  }

  uint64_t id_;
  bool create_graph_, keep_;
  std::vector<Tensor> steps_;
};

void check_alive(const std::vector<Tensor>& steps) {
  for (const Tensor& step : steps)
    if (step.node()->released)
      throw Error(
          fmt::format("backward: '{}' of shape {} was released by an earlier pass; ask that "
                      "one to keep the graph",
                      step.node()->op, step.shape().text()));
}

Tensor checked_seed(const char* op, const Tensor& output, const Tensor& seed) {
  if (!seed.defined()) {
    if (output.numel() == 1) return ones_like(output);
    throw Error(fmt::format("{}: wants a scalar, was given {}; sum() it or pass the gradient", op,
                            output.description()));
  }
  if (seed.shape() != output.shape() || seed.dtype() != output.dtype())
    throw Error(fmt::format("{}: the gradient {} {} does not fit the output {} {}", op,
                            name_of(seed.dtype()), seed.shape().text(), name_of(output.dtype()),
                            output.description()));
  return seed;
}

}  // namespace

std::vector<Tensor> apply_rule(const char* op, const Rule& rule, const Backward& step) {
  std::vector<Tensor> result;
  const std::vector<Gradient> gradients = checked_gradients(op, rule, step);
  for (size_t i = 0; i < gradients.size(); ++i) {
    const Tensor whole = gradients[i].whole ? gradients[i].whole() : gradients[i].value;
    const bool is_gradient = whole.defined() && step.needs(i);
    result.push_back(is_gradient ? sum_to(whole, step.inputs[i].shape()) : Tensor());
  }
  return result;
}

void Tensor::backward(const Tensor& gradient, bool retain_graph) const {
  if (!requires_grad())
    throw Error(
        fmt::format("backward: nothing to differentiate: {} does not depend on any tensor "
                    "that requires a gradient",
                    description()));
  const Tensor seed = checked_seed("backward", *this, gradient);
  Pass pass(false, retain_graph);
  pass.collect({*this});
  check_alive(pass.steps());
  for (const Tensor& step : pass.steps())
    if (step.node()->order == 0) step.node()->wanted = true;
  pass.spread_wanted();
  if (Observer* const o = observing()) o->on_seed(*this, seed);
  pass.accumulate(*this, seed);
  bool reached = false;
  pass.run([&](const Tensor& tensor, const Tensor& gradient) {
    Node& node = *tensor.node();
    if (node.order != 0) return;
    reached = true;
    // A first gradient may be shared with other tensors: it is kept, and a second one makes a sum.
    node.gradient = contiguous(node.gradient.defined() ? node.gradient + gradient : gradient);
  });
  if (!reached)
    throw Error(
        fmt::format("backward: the gradient of {} reached no tensor that requires one: each "
                    "path to one ends in a step whose value does not change with its input",
                    description()));
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& wrt,
                         const GradOptions& options, const std::vector<Tensor>& seeds) {
  if (!seeds.empty() && seeds.size() != outputs.size())
    throw Error(fmt::format("grad: {} outputs were given {} seeds", outputs.size(), seeds.size()));
  Pass pass(options.create_graph, options.retain_graph);
  pass.collect(outputs);
  check_alive(pass.steps());
  for (const Tensor& x : wrt)
    if (pass.reached(x)) x.node()->wanted = true;
  pass.spread_wanted();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Tensor seed = checked_seed("grad", outputs[i], seeds.empty() ? Tensor() : seeds[i]);
    if (!pass.reached(outputs[i])) continue;
    if (Observer* const o = observing()) o->on_seed(outputs[i], seed);
    pass.accumulate(outputs[i], seed);
  }
  std::vector<Tensor> result(wrt.size());
  pass.run([&](const Tensor& tensor, const Tensor& gradient) {
    for (size_t i = 0; i < wrt.size(); ++i)
      if (wrt[i].node() == tensor.node()) result[i] = gradient;
  });
  for (size_t i = 0; i < wrt.size(); ++i) {
    if (result[i].defined()) continue;
    if (!options.zero_if_unreached)
      throw Error(
          fmt::format("grad: no gradient reaches wrt[{}], {}: the outputs do not depend on it "
                      "or were cut off by detach()",
                      i, wrt[i].description()));
    result[i] = zeros_like(wrt[i]);
  }
  return result;
}

}  // namespace gradus
