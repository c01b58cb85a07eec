#include "examples/step/attention.h"

#include <algorithm>
#include <optional>
#include <set>

namespace gradus::step {

namespace {

/// Whether the node hands on its input as it is or scaled.
bool passes(const Trace& trace, const TraceNode& node, size_t input) {
  if (node.is_view) return true;
  if (input >= node.derivatives.size() || input >= node.reads.size()) return false;
  const Reads reads = node.reads[input];
  return !reads.input(input) && !reads.output() &&
         node.value.shape() == trace.node(node.inputs[input]).value.shape();
}

/// The nearest matmul whose first factor is the node's value.
std::optional<int> context_of(const Trace& trace, int number) {
  constexpr size_t furthest = 1000;  // nodes: every softmax of a trace asks
  std::vector<int> queue{number};
  std::set<int> known{number};
  for (size_t at = 0; at < std::min(queue.size(), furthest); ++at) {
    const int from = queue[at];
    for (int user : trace.users(from)) {
      const TraceNode& node = trace.node(user);
      if (node.op == "matmul" && node.inputs[0] == from) return user;
      for (size_t i = 0; i < node.inputs.size(); ++i)
        if (node.inputs[i] == from && passes(trace, node, i) && known.insert(user).second)
          queue.push_back(user);
    }
  }
  return std::nullopt;
}

/// Back from the softmax, through the first of each node's inputs that is an op, to a product.
void find_score(const Trace& trace, AttentionWeights& result) {
  constexpr size_t furthest = 12;
  std::vector<int> between;
  for (int at = result.weights; between.size() <= furthest; between.push_back(at)) {
    const std::vector<int>& inputs = trace.node(at).inputs;
    const auto op = std::ranges::find_if(
        inputs, [&](int input) { return trace.node(input).kind == TraceNode::Kind::op; });
    if (op == inputs.end()) return;
    at = *op;
    if (trace.node(at).op != "matmul") continue;
    result.score = at;
    result.between.assign(between.rbegin(), between.rend());
    return;
  }
}

}  // namespace

bool is_attention_weights(const Trace& trace, int number) {
  return trace.node(number).op == "softmax" && context_of(trace, number).has_value();
}

std::vector<AttentionWeights> attention_weights(const Trace& trace) {
  std::vector<AttentionWeights> result;
  for (int n = 0; n < trace.size(); ++n) {
    if (trace.node(n).op != "softmax") continue;
    const std::optional<int> context = context_of(trace, n);
    if (!context) continue;
    result.push_back({n, *context, -1, {}});
    find_score(trace, result.back());
  }
  return result;
}

}  // namespace gradus::step
