#include <fmt/ranges.h>

#include <cmath>
#include <unordered_set>

#include "core/autograd/autograd.h"
#include "core/autograd/node.h"
#include "core/ops/gradient_check.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "layers/check/check_parts.h"

namespace gradus::detail::check {

namespace {

/// Of the call's state, what requires a gradient.
std::vector<size_t> trained(const Subject& subject) {
  std::vector<size_t> result;
  for (size_t i = 0; i < subject.names.size(); ++i)
    if (subject.call.state[i].requires_grad()) result.push_back(i);
  return result;
}

std::string advice(const Mismatch& m, bool second) {
  if (std::isnan(m.numeric)) return "The output is no number there: choose other inputs";
  if (std::isnan(m.analytic)) return "Does the rule divide by zero, or take 0 · ∞?";
  if (m.analytic == 0)
    return second ? "The gradient is cut off from its own gradient: a rule is made of ops on "
                    "b.inputs, b.output and b.gradient, and of nothing detached"
                  : "The gradient is lost on the way: by detach(), under NoGrad, or in a rule "
                    "that leaves this input out";
  if (m.numeric == 0) return "The output does not change with it, so no gradient belongs there";
  const double ratio = m.analytic / m.numeric;
  if (std::abs(ratio + 1) < 1e-4) return "The sign is turned round";
  auto is_multiple = [](double x) {
    return std::abs(x - std::round(x)) < 1e-4 && std::round(x) != 1;
  };
  if (is_multiple(ratio)) return fmt::format("That is {} times as much", std::round(ratio));
  if (is_multiple(1 / ratio))
    return fmt::format("It should be {} times as much", std::round(1 / ratio));
  return second ? "The rule is right, but its own gradient is not: look at the rules behind it"
                : "Derive the rule again, and see that each number ends up in its own place";
}

std::vector<Tensor> leaves(const std::vector<Tensor>& outputs) {
  std::vector<Tensor> found, waiting = outputs;
  std::unordered_set<const Node*> seen;
  while (!waiting.empty()) {
    const Tensor x = waiting.back();
    waiting.pop_back();
    if (!x.requires_grad() || !seen.insert(x.node().get()).second) continue;
    if (x.node()->is_leaf()) found.push_back(x);
    for (const Operand& input : x.node()->inputs) waiting.push_back(input.tensor);
  }
  return found;
}

}  // namespace

std::vector<Tensor> gradients(const std::vector<Tensor>& outputs, const std::vector<Tensor>& wrt) {
  std::vector<Tensor> differentiable, seeds;
  for (const Tensor& x : outputs) {
    if (!x.requires_grad()) continue;
    differentiable.push_back(x);
    seeds.push_back(cast(irregular(x.shape(), 0), x.dtype()));
  }
  return grad(differentiable, wrt, {.retain_graph = true, .zero_if_unreached = true}, seeds);
}

Finding derivatives(const Subject& subject, bool second) {
  const Call call = copy_of(subject.call, DType::float64);
  std::vector<Tensor> inputs;
  std::vector<std::string> names;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    if (!call.inputs[i].is_float()) continue;
    inputs.push_back(call.inputs[i]);
    names.push_back(fmt::format("input {}", i));
  }
  for (size_t i : trained(subject)) {
    inputs.push_back(call.state[i]);
    names.push_back(fmt::format("'{}'", subject.names[i]));
  }
  if (inputs.empty()) return skipped("there is nothing to differentiate in");
  const TensorFunction f = [&](const std::vector<Tensor>&) {  // they are the call's own
    Call once = call;
    for (Tensor& x : once.state)  // state starts anew, parameters are shared
      if (!x.requires_grad()) x = copies({x})[0];
    std::vector<Tensor> flat;
    for (const Tensor& x : subject.run(once, 1))
      if (x.is_float()) flat.push_back(reshape(contiguous(x), {-1}));
    if (flat.empty()) throw Error("it gives integers only");
    return concat(flat, 0);
  };
  const Mismatch worst =
      second ? second_order_mismatch(f, inputs) : first_order_mismatch(f, inputs);
  int64_t count = 0;
  for (const Tensor& x : inputs) count += x.numel();
  if (worst.tolerances <= 1) return passed("agree with finite differences, in {} numbers", count);

  const std::string where =
      worst.input == inputs.size()
          ? "the incoming gradient"
          : fmt::format("{} at {}", names[worst.input],
                        index_of(inputs[worst.input].shape(), worst.element).text());
  return failed("in {} it says {:.6g}, finite differences say {:.6g}. {}", where, worst.analytic,
                worst.numeric, advice(worst, second));
}

Finding parameters(const Subject& subject) {
  Call call = copy_of(subject.call);
  for (const Tensor& x : call.inputs)
    if (x.is_float()) x.require_grad();
  const std::vector<Tensor> before = call.state, outputs = subject.run(call, 1),
                            reached = leaves(outputs);
  auto is_among = [](const std::vector<Tensor>& tensors, const Tensor& leaf) {
    return std::ranges::any_of(tensors, [&](auto& x) { return x.node() == leaf.node(); });
  };
  std::vector<std::string> faults;
  for (size_t i = 0; i < call.state.size(); ++i)
    if (!before[i].requires_grad() && call.state[i].requires_grad())
      faults.push_back(
          fmt::format("'{}' now belongs to the recorded computation: detach() what the layer keeps "
                      "for the next call",
                      subject.names[i]));
  for (const Tensor& leaf : reached)
    if (!is_among(before, leaf) && !is_among(call.inputs, leaf))
      faults.push_back(
          fmt::format("the output depends on a tensor {} that requires a gradient but that "
                      "parameters() does not name: it would be neither trained nor saved",
                      leaf.shape().text()));
  const std::vector<size_t> named = trained(subject);
  std::vector<Tensor> wrt;
  for (size_t i : named) wrt.push_back(before[i]);
  const std::vector<Tensor> gradient = gradients(outputs, wrt);
  for (size_t k = 0; k < named.size(); ++k)
    if (!is_among(reached, wrt[k]))
      faults.push_back(
          fmt::format("'{}' gets no gradient: the output was not computed from it, or was cut off "
                      "by detach()",
                      subject.names[named[k]]));
    else if (wrt[k].numel() > 0 && max(abs(gradient[k])).item() == 0)
      faults.push_back(
          fmt::format("the gradient of '{}' is 0 in every element: its value makes no difference "
                      "for these inputs",
                      subject.names[named[k]]));
  if (!faults.empty()) return failed("{}", fmt::join(faults, "; "));
  if (named.empty()) return skipped("there are none to train");
  if (named.size() == 1) return passed("'{}' gets a gradient", subject.names[named[0]]);
  return passed("all {} get a gradient", named.size());
}

}  // namespace gradus::detail::check
