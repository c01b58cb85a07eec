#include <fmt/format.h>

#include "core/autograd/fused.h"
#include "core/tensor/error.h"
#include "core/trace/trace.h"

namespace gradus {

Trace Trace::opened(int number) const {
  const TraceNode& node = this->node(number);
  const Forward& forward = live("open").ops[static_cast<size_t>(number)].forward;
  if (!forward)
    throw Error(fmt::format("open: {} cannot run again: {}", description(number),
                            node.kind == TraceNode::Kind::op
                                ? "its record() was not given its computation"
                                : "it is not an op"));
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const TraceNode& input = this->node(node.inputs[i]);
    inputs.push_back(input.value.values().detach());
    if (input.kind == TraceNode::Kind::constant || !inputs[i].is_float()) continue;
    inputs[i].require_grad();
    inputs[i].set_name(operand_name(static_cast<int>(i), static_cast<int>(node.inputs.size())));
  }
  Trace result;
  {
    const Recording recording(result, {}, true);
    const NoFusion of_other_ops;
    const EnableGrad also_here;
    const Tensor output = forward(inputs);
    if (output.requires_grad() && node.gradient.defined()) output.backward(node.gradient.values());
  }
  int ops = 0;
  bool is_itself = true;
  for (TraceNode& part : result.nodes_) {
    part.path = node.path;
    part.source = node.source;
    if (part.time < 0) part.time = node.time;
    if (part.kind != TraceNode::Kind::op) continue;
    ++ops;
    is_itself = is_itself && part.op == node.op;
  }
  if (ops == 0 || (ops == 1 && is_itself))
    throw Error(fmt::format("open: {} is made of nothing simpler", description(number)));
  return result;
}

}  // namespace gradus
