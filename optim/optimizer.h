#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/ops/movement.h"
#include "core/tensor/tensor.h"
#include "core/tensor/threads.h"

namespace gradus {

/// Parameters with a learning rate and a weight decay of their own.
struct ParameterGroup {
  std::vector<Tensor> parameters;
  double learning_rate_scale = 1;  ///< times the optimiser's learning rate at each step, so that
                                   ///< one schedule serves all groups
  std::optional<double> weight_decay = {};  ///< the optimiser's when empty
};

/// No weight decay for biases and norms:
///
///     AdamW adamw(decay_matrices_only(parameters(model)), {.weight_decay = 0.1});
///
/// Two groups: tensors of at least two axes (weights, embeddings), which have the optimiser's
/// decay, and the others (biases, the weight and bias of LayerNorm), which have none.
std::vector<ParameterGroup> decay_matrices_only(const std::vector<Tensor>& parameters);

/// A leaf tensor, its options, and the optimiser's state for it.
struct Parameter {
  std::string name;  ///< the tensor's own, or its position among all parameters: "0", "1", …
  Tensor value;
  Tensor step;                  ///< updates so far, an int64 scalar
  std::vector<Tensor> moments;  ///< zero at first; shape and dtype as the value's
  double learning_rate_scale = 1, weight_decay = 0;  ///< of its group

  /// Calls formula(g, p, m…) for every element, in one pass over the memory: g is the gradient's
  /// element, p& the value's, m&… those of the first `count` moments, all of the value's dtype.
  /// The result is the same bits for any number of threads.
  template <size_t count, class Formula>
  void update(const Formula& formula);
};

/// Moves parameters against their gradients. An optimiser is a name, its parameters or groups of
/// them, the learning rate, the names of the moments that it keeps for each parameter, and the
/// update of one parameter by the learning rate of its group:
///
///     Optimizer signs("SignSGD", parameters(model), 1e-3, {},
///                     [](Parameter& parameter, double rate) {
///                       parameter.update<0>([=]<class T>(T g, T& p) {
///                         p -= T(rate) * T((g > 0) - (g < 0));
///                       });
///                     });
class Optimizer {
 public:
  using Update = std::function<void(Parameter&, double learning_rate)>;

  /// `weight_decay` is that of the groups without one of their own; the update reads it from the
  /// Parameter. Throws Error unless the parameters of all groups are distinct contiguous leaves
  /// that require a gradient, with distinct names, and rates, scales and decays are finite and at
  /// least 0.
  Optimizer(std::string kind, const std::vector<ParameterGroup>& groups, double learning_rate,
            std::vector<std::string> moment_names, Update update, double weight_decay = 0);
  /// All parameters in one group.
  Optimizer(std::string kind, const std::vector<Tensor>& parameters, double learning_rate,
            std::vector<std::string> moment_names, Update update, double weight_decay = 0);
  Optimizer(Optimizer&&) = default;
  Optimizer& operator=(Optimizer&&) = default;

  double learning_rate;  ///< of all groups; may change between steps, see optim/schedule.h

  /// Updates every parameter that has a gradient, in place, not recorded; the others and their
  /// state stay as they are. Throws Error when no parameter has a gradient.
  void step();
  /// Clears the gradients of all parameters.
  void zero_grad() const;

  /// A copy of the state by name: "encoder.wx.step", "encoder.wx.first_moment", …. With it and the
  /// parameters' values training resumes to the same bits; named parameters may then be in another
  /// order and in other groups. The learning rate and the other options are not part of it.
  std::map<std::string, Tensor> state() const;
  /// Throws Error, which lists every tensor that is missing, unknown, or of another shape or dtype;
  /// nothing has changed then.
  void set_state(const std::map<std::string, Tensor>& state);

 private:
  friend struct StatePart;
  /// The state itself, not a copy.
  std::map<std::string, Tensor> named_state() const;

  std::string kind_;
  std::vector<std::string> moment_names_;
  std::vector<Parameter> parameters_;
  Update update_;
};

struct SGDOptions {
  double learning_rate = 1e-3;
  double momentum = 0;
  bool nesterov = false;
  double weight_decay = 0;
};
/// Stochastic gradient descent with momentum (Polyak 1964): with g ← g + weight_decay · p,
///
///     v ← momentum · v + g,   p ← p − learning_rate · v
///
/// or, with `nesterov` (Nesterov 1983, in the form of Sutskever et al. 2013), which looks ahead:
/// p ← p − learning_rate · (g + momentum · v).
/// Throws Error for a negative rate or decay, momentum outside [0, 1), nesterov without momentum.
struct SGD : Optimizer {
  explicit SGD(const std::vector<Tensor>& parameters, const SGDOptions& options = {});
  explicit SGD(const std::vector<ParameterGroup>& groups, const SGDOptions& options = {});
};

struct RMSpropOptions {
  double learning_rate = 1e-2;
  double alpha = 0.99;
  double epsilon = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centred = false;
};
/// Steps divided by the root of a running mean of squares (Tieleman & Hinton 2012): with
/// g ← g + weight_decay · p,
///
///     v ← alpha · v + (1 − alpha) · g²,   p ← p − learning_rate · g / (√v + epsilon)
///
/// `centred` divides by the root of the running variance instead, v − m² with
/// m ← alpha · m + (1 − alpha) · g (Graves 2013, equations 38 to 40); with momentum the quotient u
/// is summed up, w ← momentum · w + u, and p ← p − learning_rate · w.
/// Throws Error for a negative rate, epsilon or decay, alpha or momentum outside [0, 1).
struct RMSprop : Optimizer {
  explicit RMSprop(const std::vector<Tensor>& parameters, const RMSpropOptions& options = {});
  explicit RMSprop(const std::vector<ParameterGroup>& groups, const RMSpropOptions& options = {});
};

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool amsgrad = false;
};
/// Adaptive moments (Kingma & Ba 2015, algorithm 1): with g ← g + weight_decay · p, and t the
/// number of this parameter's updates, this one included,
///
///     m ← beta1 · m + (1 − beta1) · g,   v ← beta2 · v + (1 − beta2) · g²
///     p ← p − learning_rate · m̂ / (√v̂ + epsilon),   m̂ = m / (1 − beta1ᵗ),   v̂ = v / (1 − beta2ᵗ)
///
/// `amsgrad` has the largest v so far in the place of v in v̂ (Reddi, Kale, Kumar 2018).
/// Throws Error for a negative rate, epsilon or decay, betas outside [0, 1).
struct Adam : Optimizer {
  explicit Adam(const std::vector<Tensor>& parameters, const AdamOptions& options = {});
  explicit Adam(const std::vector<ParameterGroup>& groups, const AdamOptions& options = {});
};

struct AdamWOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-2;
  bool amsgrad = false;
};
/// Adam with decoupled weight decay (Loshchilov & Hutter 2019): g stays as it is, and
/// p ← p · (1 − learning_rate · weight_decay) comes before Adam's update.
struct AdamW : Optimizer {
  explicit AdamW(const std::vector<Tensor>& parameters, const AdamWOptions& options = {});
  explicit AdamW(const std::vector<ParameterGroup>& groups, const AdamWOptions& options = {});
};

template <size_t count, class Formula>
void Parameter::update(const Formula& formula) {
  dispatch_float("step", value.dtype(), [&](auto element) {
    using T = decltype(element);
    const Tensor gradient = contiguous(value.grad());
    auto run = [&, g = gradient.data<T>(), p = value.mutable_data<T>()](auto*... m) {
      parallel_for(value.numel(), 1 << 15, [=](int64_t begin, int64_t end) {
        // A copy on the stack: the compiler sees that no store changes the formula's constants.
        const Formula f = formula;
        for (int64_t i = begin; i < end; ++i) f(g[i], p[i], m[i]...);
      });
    };
    [&]<size_t... i>(std::index_sequence<i...>) { run(moments[i].template mutable_data<T>()...); }
    (std::make_index_sequence<count>{});
  });
}

}  // namespace gradus
