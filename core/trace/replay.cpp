#include <fmt/format.h>

#include "core/tensor/error.h"
#include "core/trace/trace.h"

namespace gradus {

namespace {

/// A copy in the memory layout of the value that it replaces: BLAS rounds by it.
Tensor in_layout_of(const Tensor& old, const Tensor& value) {
  Tensor changed = Tensor::uninitialised(value.shape(), value.dtype());
  if (!old.is_contiguous() && old.numel() > 0) {
    int64_t last = 0;
    for (int axis = 0; axis < old.rank(); ++axis)
      last += (old.shape()[axis] - 1) * old.strides()[axis];
    changed = Tensor::uninitialised({last + 1}, value.dtype()).view(old.shape(), old.strides());
  }
  changed.assign(value);
  return changed;
}

}  // namespace

Trace Trace::replay(const std::map<int, Tensor>& changes, const Instead& instead) const {
  const Live& live = this->live("replay");
  for (const auto& [number, value] : changes) {
    const TraceTensor& before = node(number).value;
    if (value.shape() != before.shape() || value.dtype() != before.dtype())
      throw Error(fmt::format("replay: {}: expected {} {}, got {} {}", description(number),
                              name_of(before.dtype()), before.shape().text(),
                              name_of(value.dtype()), value.description()));
  }
  std::vector<Tensor> values(nodes_.size());
  std::vector<bool> is_new(nodes_.size(), false);
  Trace result;
  {
    const Recording recording = result.record();
    for (int n = 0; n < size(); ++n) {
      const TraceNode& node = nodes_[static_cast<size_t>(n)];
      const auto& [rule, forward] = live.ops[static_cast<size_t>(n)];
      Tensor& output = values[static_cast<size_t>(n)];
      const auto change = changes.find(n);
      const bool is_changed = change != changes.end();
      is_new[static_cast<size_t>(n)] = is_changed;
      output = node.value.values().detach();
      if (is_changed) output = in_layout_of(output, change->second);
      if (node.kind == TraceNode::Kind::parameter) {
        output.require_grad();
        output.set_name(node.name);
      }
      if (node.kind != TraceNode::Kind::op) continue;
      std::vector<Tensor> inputs;
      for (int input : node.inputs) {
        inputs.push_back(values[static_cast<size_t>(input)]);
        if (is_new[static_cast<size_t>(input)]) is_new[static_cast<size_t>(n)] = true;
      }
      const Pointwise* const other = instead && !is_changed ? instead(node) : nullptr;
      if (other) {
        is_new[static_cast<size_t>(n)] = true;
        output = other->run(inputs);
        continue;
      }
      if (is_new[static_cast<size_t>(n)] && !is_changed) {
        if (!forward)
          throw Error(
              fmt::format("replay: {} cannot run again: its record() was not given its "
                          "computation",
                          description(n)));
        const NoGrad pause;
        output = forward(inputs).detach();
      }
      std::vector<Derivative> derivatives;
      for (size_t i = 0; i < node.derivatives.size(); ++i)
        derivatives.push_back(
            {node.derivatives[i].c_str(), i < node.reads.size() ? node.reads[i] : Reads{}});
      Op op{node.op.c_str(), node.formula.c_str(), derivatives, node.is_view};
      // What the forward pass noted for its rule is not that of changed inputs.
      op.also = is_new[static_cast<size_t>(n)] ? Reads::all_inputs() : node.also;
      output = gradus::record(op, output, inputs, rule, forward, [&] { return node.attributes; });
    }
    for (const auto& [root, seed] : live.seeds)
      values[static_cast<size_t>(root)].backward(seed, true);
  }
  for (size_t n = 0; n < nodes_.size() && n < result.nodes_.size(); ++n) {
    result.nodes_[n].name = nodes_[n].name;
    result.nodes_[n].path = nodes_[n].path;
    result.nodes_[n].time = nodes_[n].time;
    result.nodes_[n].source = nodes_[n].source;
  }
  result.queries = queries;
  result.keys = keys;
  return result;
}

}  // namespace gradus
