#include "core/autograd/fused.h"

#include "core/autograd/node.h"
#include "core/tensor/switches.h"

namespace gradus {

std::vector<Gradient> differentiate(const Forward& composition, const Backward& b) {
  // The inputs may depend on each other, and what lies behind them must not be touched by this pass
  // within a pass. So the composition is differentiated with respect to stand-ins, nodes that are
  // joined to the inputs only afterwards.
  std::vector<Tensor> stand_ins = b.inputs(), wanted;
  for (size_t i = 0; i < stand_ins.size(); ++i) {
    if (!b.needs(i)) continue;
    stand_ins[i] = record({"input", "x", {{"g"}}}, stand_ins[i].detach(), {stand_ins[i]},
                          [](const Backward& s) { return std::vector<Gradient>{s.gradient}; });
    stand_ins[i].node()->inputs.clear();
    wanted.push_back(stand_ins[i]);
  }
  const std::vector<Tensor> gradients =
      grad({composition(stand_ins)}, wanted, {.create_graph = true, .zero_if_unreached = true},
           {b.gradient});
  std::vector<Gradient> result(b.size());
  for (size_t i = 0, k = 0; i < result.size(); ++i) {
    if (!b.needs(i)) continue;
    stand_ins[i].node()->inputs.push_back({b.layout(i)});
    result[i] = gradients[k++];
  }
  return result;
}

NoFusion::NoFusion(bool active) : before_(switches.fused) { switches.fused = before_ && !active; }
NoFusion::~NoFusion() { switches.fused = before_; }

bool NoFusion::in_force() { return !switches.fused; }

}  // namespace gradus
