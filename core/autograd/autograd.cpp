#include "core/autograd/autograd.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <unordered_set>

#include "core/autograd/node.h"
#include "core/tensor/error.h"
#include "core/tensor/switches.h"

namespace gradus {

namespace {

std::atomic<uint64_t> next_order{1};

const std::string no_name;
const Tensor no_tensor;

std::string size_text(const Tensor& x) {
  return fmt::format("{} {}", name_of(x.dtype()), x.description());
}

}  // namespace

// --- recording ----------------------------------------------------------------------------------

NoGrad::NoGrad(bool active) : before_(switches.recording) {
  switches.recording = before_ && !active;
}
NoGrad::~NoGrad() { switches.recording = before_; }

EnableGrad::EnableGrad() : before_(switches.recording) { switches.recording = true; }
EnableGrad::~EnableGrad() { switches.recording = before_; }

bool is_recording(std::span<const Tensor> inputs) {
  return switches.recording && std::any_of(inputs.begin(), inputs.end(),
                                           [](const Tensor& x) { return x.requires_grad(); });
}

namespace {

/// What the derivatives of those inputs read that require a gradient.
Reads needed(const Op& op, TensorList inputs) {
  if (!op.has_derivatives()) return Reads::everything();
  Reads all = op.also;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].requires_grad()) all = all | op.derivative(i).reads;
  return all;
}

/// An input that no derivative reads is let go; but one that is as small as what would stand in its
/// place, or a leaf that its owner holds anyway, stays.
bool is_worth_letting_go(const Tensor& x) {
  constexpr int64_t small = 256;  // bytes
  if (x.numel() * static_cast<int64_t>(size_of(x.dtype())) <= small) return false;
  return !x.requires_grad() || !x.node()->is_leaf();
}

}  // namespace

Tensor record_node(const Op& op, Tensor output, TensorList inputs, Rule rule, Forward forward,
                   Attributes attributes) {
  if (is_recording(inputs)) {
    const bool is_input = std::any_of(inputs.begin(), inputs.end(),
                                      [&](const Tensor& x) { return x.is_same_as(output); });
    if (is_input || output.requires_grad()) output = output.detach();
    auto node = std::allocate_shared<Node>(SmallAllocator<Node>());
    node->op = op.name;
    node->shape = output.shape();
    node->order = next_order++;
    const Reads reads = rule ? needed(op, inputs) : Reads{};
    node->inputs.reserve(inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Tensor& x = inputs[i];
      if (reads.input(i) && x.has_values())
        node->inputs.push_back({x, x.version(), true});
      else
        node->inputs.push_back({x.has_values() && is_worth_letting_go(x) ? x.without_values() : x});
    }
    if (reads.output()) node->output = {output.detach(), output.version(), true};
    node->rule = std::move(rule);
    output.set_node(node);
    if (Observer* const o = observing())
      o->on_op({op, output, inputs, node->rule, std::move(forward), std::move(attributes)});
  } else if (Observer* const o = observing(); o && o->sees_all()) {
    o->on_op({op, output, inputs, rule, std::move(forward), std::move(attributes)});
  }
  return output;
}

Node::~Node() {
  // Releasing the inputs may release the nodes behind them, and so on for millions of ops: the
  // outermost destructor empties a list instead of letting them nest.
  thread_local std::vector<Tensor>* waiting = nullptr;
  if (inputs.empty()) return;
  if (waiting) {
    for (Operand& input : inputs) waiting->push_back(std::move(input.tensor));
    return;
  }
  std::vector<Tensor> list;
  for (Operand& input : inputs) list.push_back(std::move(input.tensor));
  waiting = &list;
  while (!list.empty()) {
    const Tensor last = std::move(list.back());
    list.pop_back();
  }
  waiting = nullptr;
}

std::vector<KeptValue> kept_values(const Tensor& output) {
  std::vector<std::shared_ptr<Node>> nodes;
  std::unordered_set<const Node*> known;
  auto add = [&](const Tensor& x) {
    if (x.requires_grad() && known.insert(x.node().get()).second) nodes.push_back(x.node());
  };
  add(output);
  for (size_t at = 0; at < nodes.size(); ++at)
    for (const Operand& input : std::shared_ptr(nodes[at])->inputs) add(input.tensor);
  std::sort(nodes.begin(), nodes.end(),
            [](const auto& a, const auto& b) { return a->order > b->order; });
  std::vector<KeptValue> result;
  for (const auto& node : nodes) {
    const int count = static_cast<int>(node->inputs.size());
    auto keep = [&](const Operand& operand, const std::string& name) {
      if (!operand.is_read) return;
      const Tensor& x = operand.tensor;
      result.push_back(
          {node->op, name, x.shape(), x.dtype(), x.requires_grad() && x.node()->is_leaf()});
    };
    for (int i = 0; i < count; ++i)
      keep(node->inputs[static_cast<size_t>(i)], operand_name(i, count));
    keep(node->output, "y");
  }
  return result;
}

// --- what a rule is given -----------------------------------------------------------------------

std::vector<Tensor> Backward::inputs() const {
  std::vector<Tensor> result;
  for (size_t i = 0; i < size(); ++i)
    result.push_back(inputs_[i].is_read ? input(i) : layout(i).without_values());
  return result;
}

Tensor Backward::room_for_gradient(size_t i) const {
  const Tensor& x = input(i);
  if (releases_ && x.is_contiguous() && x.is_exclusive()) return x.detach();
  return Tensor::uninitialised(x.shape(), x.dtype());
}

bool Backward::is_recorded() const {
  if (!switches.recording) return false;
  return gradient.requires_grad() || (output_.tensor.defined() && output_.tensor.requires_grad()) ||
         std::any_of(inputs_.begin(), inputs_.end(),
                     [](const Operand& input) { return input.tensor.requires_grad(); });
}

void Backward::fail(const Operand& operand, int input) const {
  const std::string name =
      input < 0 ? "output y"
                : fmt::format("input {}", operand_name(input, static_cast<int>(size())));
  const std::string what =
      operand.tensor.defined() ? fmt::format("{}, {}", name, size_text(operand.tensor)) : name;
  if (!operand.is_read)
    throw Error(
        fmt::format("backward: the rule of '{}' reads its {}, which its Op does not list "
                    "in the reads of a derivative",
                    op_, what));
  throw Error(fmt::format(
      "backward: '{}' needs its {}, as it was in the forward pass, but it was changed in place "
      "since (version {} instead of {}): run the backward pass before the change, or compute with "
      "a clone() of it",
      op_, what, operand.tensor.version(), operand.version));
}

// --- the tensor's own part ----------------------------------------------------------------------

void Tensor::set_node(std::shared_ptr<Node> node) const { impl().node = std::move(node); }

const Tensor& Tensor::require_grad() const {
  if (!is_float())
    throw Error(
        fmt::format("require_grad: {} holds integers, which have no derivative", description()));
  if (node() && !node()->is_leaf())
    throw Error(fmt::format("require_grad: {} is the result of '{}', not a leaf; detach() it first",
                            description(), node()->op));
  if (!node()) {
    set_node(std::allocate_shared<Node>(SmallAllocator<Node>()));
    node()->shape = shape();
  }
  return *this;
}

const Tensor& Tensor::grad() const { return requires_grad() ? node()->gradient : no_tensor; }

void Tensor::set_grad(Tensor gradient) const {
  if (!requires_grad()) {
    if (!gradient.defined()) return;
    throw Error(fmt::format("set_grad: {} does not require a gradient", description()));
  }
  if (gradient.defined() && (gradient.shape() != shape() || gradient.dtype() != dtype()))
    throw Error(fmt::format("set_grad: expected a gradient of {} {}, got {} {}", name_of(dtype()),
                            description(), name_of(gradient.dtype()), gradient.description()));
  node()->gradient = std::move(gradient);
}

Tensor Tensor::detach() const { return view(shape(), strides()); }

void Tensor::on_gradient(std::function<Tensor(const Tensor&)> hook) const {
  if (!requires_grad())
    throw Error(fmt::format("on_gradient: {} does not require a gradient", description()));
  if (!hook) throw Error("on_gradient: expected a function, got an empty one");
  node()->hooks.push_back(std::move(hook));
}

const std::string& Tensor::name() const { return requires_grad() ? node()->name : no_name; }

void Tensor::set_name(std::string name) const {
  if (!requires_grad()) throw Error("set_name: only tensors that require a gradient have a name");
  node()->name = std::move(name);
}

}  // namespace gradus
