#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <mutex>

#include "core/autograd/accumulate.h"
#include "core/autograd/autograd.h"
#include "core/autograd/node.h"
#include "core/tensor/error.h"

namespace gradus {

namespace {

template <class T>
using List = std::vector<T, SmallAllocator<T>>;

/// Numbers for nodes.
class NodeNumbers {
 public:
  static constexpr int none = -1;

  NodeNumbers() : slots_(16) {}

  /// The number that the node has, or `none` after giving it `number`.
  int try_insert(const Node* node, int number) {
    if (2 * (count_ + 1) > slots_.size()) grow();
    Slot& slot = find(node);
    if (slot.node) return slot.number;
    slot = {node, number};
    ++count_;
    return none;
  }
  int& operator[](const Node* node) { return find(node).number; }  ///< of one that is there
  int number_of(const Node* node) {
    const Slot& slot = find(node);
    return slot.node ? slot.number : none;
  }

 private:
  struct Slot {
    const Node* node = nullptr;
    int number = none;
  };

  Slot& find(const Node* node) {
    const size_t mask = slots_.size() - 1;
    size_t at =
        static_cast<size_t>((reinterpret_cast<uintptr_t>(node) >> 4) * 0x9E3779B97F4A7C15u >> 20) &
        mask;
    while (slots_[at].node && slots_[at].node != node) at = (at + 1) & mask;
    return slots_[at];
  }
  void grow() {
    List<Slot> old(4 * slots_.size());
    old.swap(slots_);
    for (const Slot& slot : old)
      if (slot.node) find(slot.node) = slot;
  }

  List<Slot> slots_;
  size_t count_ = 0;
};

std::vector<Gradient> checked_gradients(const char* op, const Rule& rule, const Backward& b) {
  std::vector<Gradient> gradients = rule(b);
  if (gradients.size() != b.size())
    throw Error(fmt::format("backward: the rule of '{}' gave {} gradients for {} inputs", op,
                            gradients.size(), b.size()));
  return gradients;
}

/// A tensor with the same values that nobody else can change: itself where that is so.
Tensor own(Tensor x) {
  if (x.is_exclusive()) return x;
  Tensor copy = Tensor::uninitialised(x.shape(), x.dtype());
  copy.assign(x);
  return copy;
}

/// Adds to a leaf's gradient. Other threads may do so at the same time: nothing is computed while
/// they have to wait.
void add_to_leaf(Node& leaf, Tensor gradient) {
  static std::mutex mutex;
  gradient = own(std::move(gradient));
  while (true) {
    Tensor before;
    {
      const std::lock_guard lock(mutex);
      if (!leaf.gradient.defined()) {
        leaf.gradient = std::move(gradient);
        return;
      }
      before = std::move(leaf.gradient);
      leaf.gradient = {};
    }
    // Who holds the gradient so far keeps it as it is.
    if (before.is_exclusive()) {
      add_into(before, gradient);
      gradient = std::move(before);
    } else {
      gradient = own(sum_of(before, gradient));
    }
  }
}

/// One backward pass. What it notes about nodes is its own: a hook or a rule may itself
/// differentiate, and other threads may differentiate graphs that share leaves with this one.
class Pass {
 public:
  Pass(bool create_graph, bool retain_graph)
      : create_graph_(create_graph), retain_(retain_graph || create_graph) {}

  /// Finds the nodes behind the outputs, the oldest first. Leaves come first of all, but those with
  /// hooks, which are called as soon as the gradient is complete: just before their oldest user.
  void collect(const std::vector<Tensor>& outputs) {
    List<Node*> stack;
    auto visit = [&](const Tensor& x, uint64_t user) {
      if (!x.requires_grad()) return;
      Node* const node = x.node().get();
      const bool awaited = node->is_leaf() && !node->hooks.empty();
      const int found = numbers_.try_insert(node, static_cast<int>(steps_.size()));
      if (found == NodeNumbers::none) {
        steps_.push_back({x.node(), awaited ? user : node->order});
        stack.push_back(node);
      } else if (Step& step = steps_[static_cast<size_t>(found)]; awaited) {
        step.order = std::min(step.order, user);
      }
    };
    for (const Tensor& output : outputs) visit(output, UINT64_MAX);
    while (!stack.empty()) {
      const Node* node = stack.back();
      stack.pop_back();
      if (node->released)
        throw Error(
            fmt::format("backward: the graph behind '{}' of shape {} was released by an "
                        "earlier backward pass; pass retain_graph = true to that one",
                        node->op, node->shape.text()));
      for (const Operand& input : node->inputs) visit(input.tensor, node->order);
    }
    std::sort(steps_.begin(), steps_.end(), [](const Step& a, const Step& b) {
      return std::pair(a.order, a.node->order) < std::pair(b.order, b.node->order);
    });
    for (size_t i = 0; i < steps_.size(); ++i) numbers_[steps_[i].node.get()] = static_cast<int>(i);
    for (Step& step : steps_) {
      step.first_input = inputs_.size();
      for (const Operand& input : step.node->inputs) inputs_.push_back(number_of(input.tensor));
    }
  }

  /// The place of the node behind x in this pass, −1 if it has none.
  int number_of(const Tensor& x) {
    return x.requires_grad() ? numbers_.number_of(x.node().get()) : NodeNumbers::none;
  }
  void want(int step) { steps_[static_cast<size_t>(step)].wanted = true; }
  void want_leaves() {
    for (Step& step : steps_) step.wanted = step.node->is_leaf();
  }

  /// Marks what lies between the outputs and the nodes that were marked as wanted before.
  void spread_wanted() {
    for (Step& step : steps_)
      for (size_t i = 0; i < step.node->inputs.size() && !step.wanted; ++i)
        step.wanted = is_wanted(step, i);
  }

  void accumulate(int number, Gradient gradient) {
    Step& step = steps_[static_cast<size_t>(number)];
    Tensor& pending = step.pending;
    const bool in_place = !create_graph_ && pending.defined() && pending.is_exclusive();
    if (gradient.whole) {
      if (in_place) return gradient.add_to(pending);
      gradient.value = gradient.whole();
    }
    if (!gradient.value.defined()) return;
    Tensor value = gradient.value.shape() == step.node->shape
                       ? std::move(gradient.value)
                       : sum_to(gradient.value, step.node->shape);
    if (!pending.defined())
      pending = std::move(value);
    else if (in_place)
      add_into(pending, value);
    else
      pending = sum_of(pending, value);
  }

  /// Consumes the steps from the youngest to the oldest. `keep(node, gradient)` is given the
  /// gradient of every wanted node.
  template <class Keep>
  void run(Keep keep) {
    const NoGrad pause(!create_graph_);
    for (; !steps_.empty(); steps_.pop_back()) {
      Step step = std::move(steps_.back());
      Node& node = *step.node;
      if (step.pending.defined() && step.wanted) {
        Tensor gradient = std::move(step.pending);
        call_hooks(node, gradient);
        if (Observer* const o = observing()) o->on_gradient(step.node, gradient);
        if (!node.is_leaf()) propagate(step, gradient);
        keep(node, std::move(gradient));
      }
      if (!retain_ && !node.is_leaf()) {
        node.inputs.clear();
        node.output = {};
        node.rule = nullptr;
        node.released = true;
      }
    }
  }

 private:
  struct Step {
    std::shared_ptr<Node> node;
    uint64_t order;
    Tensor pending = {};  ///< the sum of what has arrived
    bool wanted = false;
    size_t first_input = 0;  ///< in inputs_
  };

  bool is_wanted(const Step& step, size_t input) const {
    const int number = inputs_[step.first_input + input];
    return number != NodeNumbers::none && steps_[static_cast<size_t>(number)].wanted;
  }

  static void call_hooks(const Node& node, Tensor& gradient) {
    if (node.hooks.empty()) return;
    const auto hooks = node.hooks;  // one of them may add others
    for (const auto& hook : hooks)
      if (Tensor replaced = hook(gradient); replaced.defined()) {
        if (replaced.shape() != gradient.shape() || replaced.dtype() != gradient.dtype())
          throw Error(
              fmt::format("on_gradient: expected a gradient of {} {} from the hook, got {} {}",
                          name_of(gradient.dtype()), gradient.shape().text(),
                          name_of(replaced.dtype()), replaced.shape().text()));
        gradient = std::move(replaced);
      }
  }

  void propagate(const Step& step, const Tensor& gradient) {
    const Node& node = *step.node;
    if (node.released)
      throw Error(
          fmt::format("backward: the graph behind '{}' of shape {} was released while this "
                      "backward pass was running; pass retain_graph = true to the other",
                      node.op, node.shape.text()));
    bool any = false;
    wanted_.clear();
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      wanted_.push_back(is_wanted(step, i));
      any = any || wanted_.back();
    }
    if (!any) return;
    if (!node.rule)
      throw Error(
          fmt::format("backward: '{}' has no derivative, yet a gradient arrived at its result {}; "
                      "detach() it if it is meant as a constant",
                      node.op, node.shape.text()));
    Operand output = node.output;
    if (create_graph_ && output.tensor.defined()) {
      output.tensor = output.tensor.detach();
      output.tensor.set_node(step.node);
    }
    std::vector<Gradient> gradients = checked_gradients(
        node.op, node.rule, {node.op, node.inputs, output, gradient, wanted_, !retain_});
    for (size_t i = gradients.size(); i-- > 0;)
      if (is_wanted(step, i)) accumulate(inputs_[step.first_input + i], std::move(gradients[i]));
  }

  bool create_graph_, retain_;
  NodeNumbers numbers_;
  List<Step> steps_;
  List<int> inputs_;  ///< of all steps' inputs, the numbers of the steps that made them
  std::vector<bool> wanted_;
};

Tensor checked_seed(const char* op, const Tensor& output, const Tensor& seed) {
  if (!seed.defined()) {
    if (output.numel() == 1) return ones_like(output);
    throw Error(fmt::format("{}: expected a scalar, got {}; sum() it or pass the gradient", op,
                            output.description()));
  }
  if (seed.shape() != output.shape() || seed.dtype() != output.dtype())
    throw Error(fmt::format("{}: expected a gradient of {} {}, got {} {}", op,
                            name_of(output.dtype()), output.description(), name_of(seed.dtype()),
                            seed.shape().text()));
  return seed;
}

}  // namespace

std::vector<Tensor> apply_rule(const char* op, const Rule& rule, TensorList inputs,
                               const Tensor& output, const Tensor& gradient,
                               const std::vector<bool>& wanted) {
  std::vector<Operand> operands;
  for (const Tensor& input : inputs) operands.push_back({input, input.version(), true});
  const Operand result_of_op{output, output.version(), true};
  std::vector<Tensor> result;
  const std::vector<Gradient> gradients =
      checked_gradients(op, rule, {op, operands, result_of_op, gradient, wanted, false});
  for (size_t i = 0; i < gradients.size(); ++i) {
    const Tensor whole = gradients[i].whole ? gradients[i].whole() : gradients[i].value;
    const bool is_gradient = whole.defined() && wanted[i];
    result.push_back(is_gradient ? sum_to(whole, inputs[i].shape()) : Tensor());
  }
  return result;
}

void Tensor::backward(const Tensor& gradient, bool retain_graph) const {
  if (!requires_grad())
    throw Error(
        fmt::format("backward: nothing to differentiate: {} does not depend on any tensor "
                    "that requires a gradient",
                    description()));
  Tensor seed = checked_seed("backward", *this, gradient);
  Pass pass(false, retain_graph);
  pass.collect({*this});
  pass.want_leaves();
  pass.spread_wanted();
  if (Observer* const o = observing()) o->on_seed(*this, seed);
  pass.accumulate(pass.number_of(*this), std::move(seed));
  bool reached = false;
  pass.run([&](Node& node, Tensor gradient) {
    if (!node.is_leaf()) return;
    reached = true;
    add_to_leaf(node, std::move(gradient));
  });
  if (!reached)
    throw Error(
        fmt::format("backward: the gradient of {} reached no tensor that requires one: each "
                    "path to one ends in an op whose value does not change with its input",
                    description()));
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& wrt,
                         const GradOptions& options, const std::vector<Tensor>& seeds) {
  if (!seeds.empty() && seeds.size() != outputs.size())
    throw Error(fmt::format("grad: expected a seed for each of {} outputs, got {}", outputs.size(),
                            seeds.size()));
  Pass pass(options.create_graph, options.retain_graph);
  pass.collect(outputs);
  for (const Tensor& x : wrt)
    if (const int number = pass.number_of(x); number != NodeNumbers::none) pass.want(number);
  pass.spread_wanted();
  for (size_t i = 0; i < outputs.size(); ++i) {
    Tensor seed = checked_seed("grad", outputs[i], seeds.empty() ? Tensor() : seeds[i]);
    const int number = pass.number_of(outputs[i]);
    if (number == NodeNumbers::none) continue;
    if (Observer* const o = observing()) o->on_seed(outputs[i], seed);
    pass.accumulate(number, std::move(seed));
  }
  std::vector<Tensor> result(wrt.size());
  pass.run([&](const Node& node, const Tensor& gradient) {
    for (size_t i = 0; i < wrt.size(); ++i)
      if (wrt[i].requires_grad() && wrt[i].node().get() == &node) result[i] = gradient;
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
