#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/tensor/tensor.h"

namespace gradus {

/// What a gradient rule is given: the op's inputs, its output and dL/d(output).
struct Backward {
  const std::vector<Tensor>& inputs;
  const Tensor& output;
  const Tensor& gradient;
  /// Whether anybody wants dL/d(inputs[i]); a rule may skip the others.
  bool needs(size_t i) const { return wanted[i]; }
  const std::vector<bool>& wanted;
};

/// dL/d(input): a tensor, or one that is cheaper to add into a buffer than to make (zero outside a
/// slice, outside some rows, or a matrix product).
struct Gradient {
  Gradient() = default;                                ///< no gradient flows here
  Gradient(Tensor value) : value(std::move(value)) {}  // NOLINT: a tensor is a gradient
  Gradient(std::function<Tensor()> whole, std::function<void(const Tensor&)> add_to)
      : whole(std::move(whole)), add_to(std::move(add_to)) {}

  Tensor value;
  std::function<Tensor()> whole;              ///< a fresh tensor, made of differentiable ops
  std::function<void(const Tensor&)> add_to;  ///< adds it into a contiguous buffer
};

/// The gradients of all inputs of one step, each an expression in tensor ops: so it is itself
/// differentiable. It captures attributes (axes, shapes), never tensors with a history: so that
/// nothing owns itself. An input that was broadcast may get its gradient in the output's shape: the
/// engine sums it.
using Rule = std::function<std::vector<Gradient>(const Backward&)>;

/// What an op is called and how people write it: over x, or a, b, c … where it takes several
/// inputs; y is the output and g = dL/dy. "dL/da = g · bᵀ, dL/db = aᵀ · g"
struct Op {
  constexpr Op(const char* name, const char* formula = "", const char* derivative = "")  // NOLINT
      : name(name), formula(formula), derivative(derivative) {}
  const char *name, *formula, *derivative;
};

/// An op's computation again, on other inputs of the same shapes and in any float dtype.
using Forward = std::function<Tensor(const std::vector<Tensor>&)>;

/// One step of the recorded computation, owned by the tensor that it computed.
struct Node {
  Node() = default;
  ~Node();  // frees long chains in a loop
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const char* op = "leaf";
  std::vector<Tensor> inputs;
  Rule rule;              ///< empty for leaves and for ops without a derivative
  bool released = false;  ///< a backward pass has consumed it
  uint64_t order = 0;     ///< inputs come before outputs
  std::string name;       ///< of a leaf
  Tensor gradient;        ///< a leaf's accumulated gradient
  std::vector<std::function<Tensor(const Tensor&)>> hooks;

  // Scratch of a running backward pass.
  uint64_t pass = 0;
  bool wanted = false, owns_pending = false;
  Tensor pending;
};

/// Sees what is recorded and differentiated on this thread; the one there is makes a Trace.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_step(const Op& op, const Tensor& output, const std::vector<Tensor>& inputs,
                       const Rule& rule, Forward forward) = 0;
  /// Whether it also sees steps that are not recorded, because no input requires a gradient, and
  /// formulas of elementwise functions function by function.
  virtual bool sees_all() const { return false; }
  virtual void on_seed(const Tensor& output, const Tensor& seed) = 0;
  virtual void on_gradient(const Tensor& output, const Tensor& gradient) = 0;
};
inline constinit thread_local Observer* observer = nullptr;
/// The observer, if there is one.
inline Observer* observing() {
#ifdef GRADUS_WITHOUT_TRACE  // to measure what the test of the pointer costs everybody else
  return nullptr;
#else
  return observer;
#endif
}

/// Notes that `output` was computed from `inputs` by `op`. Nothing is kept where no input requires
/// a gradient or inside NoGrad. An empty rule means that the op has no derivative: a gradient that
/// arrives there is an Error naming it.
Tensor record(const Op& op, Tensor output, std::vector<Tensor> inputs, Rule rule,
              Forward forward = nullptr);
/// With the op itself, `forward(inputs)`, which a Trace needs to check the rule by differences and
/// to run the op on changed inputs; nobody else pays for it.
template <class F>
Tensor record(const Op& op, Tensor output, std::vector<Tensor> inputs, Rule rule,
              const F& forward) {
  return record(op, std::move(output), std::move(inputs), std::move(rule),
                observing() ? Forward(forward) : Forward());
}

/// Whether record() would keep this step: ops that pay for their bookkeeping ask first.
bool is_recording(std::span<const Tensor> inputs);

/// While it lives, nothing on this thread is recorded.
class NoGrad {
 public:
  explicit NoGrad(bool active = true);
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

/// dL/d(inputs) by a rule, as tensors of the inputs' shapes; undefined where none flows or is
/// wanted. Throws Error in the name of `op` when the rule gives another number of gradients.
std::vector<Tensor> apply_rule(const char* op, const Rule& rule, const Backward& step);

struct GradOptions {
  bool create_graph = false;  ///< record the backward pass, for derivatives of derivatives
  bool retain_graph = false;  ///< do not release the steps (implied by create_graph)
  bool zero_if_unreached =
      false;  ///< zeros, not an Error, for a `wrt` that outputs do not depend on
};

/// Σᵢ d(outputs[i] · seeds[i]) / d(wrt[j]) for every j. `seeds` default to ones for scalars.
/// Leaves' grad() stays untouched.
/// Throws Error when an output does not depend on wrt[j], unless options say zeros.
std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& wrt,
                         const GradOptions& options = {}, const std::vector<Tensor>& seeds = {});

}  // namespace gradus
