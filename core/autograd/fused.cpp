#include "core/autograd/fused.h"

namespace gradus {

namespace {

thread_local bool composing = false;

/// The gradients of `composed(inputs)`, recorded.
std::vector<Gradient> differentiate(const Forward& composed, const Backward& b) {
  // The inputs may depend on each other, and what lies behind them must not be touched by this pass
  // within a pass. So the composition is differentiated with respect to stand-ins, steps that are
  // joined to the inputs only afterwards.
  std::vector<Tensor> stand_ins = b.inputs, wanted;
  for (size_t i = 0; i < stand_ins.size(); ++i) {
    if (!b.needs(i)) continue;
    stand_ins[i] = record("input", b.inputs[i].detach(), {b.inputs[i]},
                          [](const Backward& s) { return std::vector<Gradient>{s.gradient}; });
    stand_ins[i].node()->inputs.clear();
    wanted.push_back(stand_ins[i]);
  }
  const std::vector<Tensor> gradients =
      grad({composed(stand_ins)}, wanted, {.create_graph = true, .zero_if_unreached = true},
           {b.gradient});
  std::vector<Gradient> result(b.inputs.size());
  for (size_t i = 0, k = 0; i < result.size(); ++i) {
    if (!b.needs(i)) continue;
    stand_ins[i].node()->inputs = {b.inputs[i]};
    result[i] = gradients[k++];
  }
  return result;
}

}  // namespace

NoFusion::NoFusion(bool active) : before_(composing) { composing = composing || active; }
NoFusion::~NoFusion() { composing = before_; }

Tensor fused(const Op& op, const std::vector<Tensor>& inputs, const Forward& one_pass, Rule rule,
             const Forward& composed) {
  if (composing) return composed(inputs);
  const Tensor output = one_pass(inputs);
  if (!is_recording(inputs)) return output;
  return record(
      op, output, inputs,
      [rule = std::move(rule), composed](const Backward& b) {
        std::vector<Tensor> all = b.inputs;
        all.push_back(b.gradient);
        return is_recording(all) ? differentiate(composed, b) : rule(b);
      },
      observing() ? one_pass : Forward());
}

}  // namespace gradus
