#pragma once

#include "core/ops/movement.h"
#include "examples/translate/model_state.h"
#include "layers/initialise.h"

/// What the recurrent architectures share.
namespace gradus::translate {

/// Embeddings from U(±0.5), other weights from U(±0.08), biases 0 but 1 for the forget gates
/// (Sutskever, Vinyals & Le 2014; Jozefowicz, Zaremba & Sutskever 2015). With embeddings as small
/// as the rest a model learns more slowly, with embeddings from N(0, 1) it overfits sooner.
void set_initial_weights(auto& model, Generator& generator) {
  for_each_parameter(model, [&](const std::string& name, Tensor& parameter) {
    if (!name.ends_with("bias")) {
      const double bound = name.ends_with("embedding.weight") ? 0.5 : 0.08;
      parameter.assign(uniform(parameter.shape(), bound, generator));
    } else {
      parameter.assign(zeros(parameter.shape()));
      if (name.starts_with("encoder") || name.starts_with("decoder")) {
        const int64_t hidden = parameter.numel() / 4;  // gates i, f, g, o
        slice(parameter.detach(), 0, hidden, 2 * hidden).assign(ones({hidden}));
      }
    }
  });
}

/// Of each direction of an encoder. Throws Error for an odd hidden size.
inline int64_t half_of_hidden(const ModelOptions& options) {
  if (options.hidden % 2 == 0) return options.hidden / 2;
  throw Error(
      fmt::format("translate: expected an even hidden size for a bidirectional encoder, got {}",
                  options.hidden));
}

/// The last states of both directions as one.
inline LSTMState both_directions(const LSTMState& ahead, const LSTMState& back) {
  return {concat({ahead.h, back.h}, 1), concat({ahead.c, back.c}, 1)};
}

}  // namespace gradus::translate
