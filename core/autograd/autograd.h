#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/autograd/op.h"
#include "core/tensor/tensor.h"

/// Recording what ops compute, and the backward pass over it. What threads may share stands in
/// core/tensor/threads.h.
namespace gradus {

/// Some tensors, looked at: {a, b}, or a vector.
class TensorList : public std::span<const Tensor> {
 public:
  TensorList(std::span<const Tensor> list) : span(list) {}                             // NOLINT
  TensorList(const std::vector<Tensor>& list) : span(list) {}                          // NOLINT
  TensorList(std::initializer_list<Tensor> list) : span(list.begin(), list.size()) {}  // NOLINT
};

/// An input or the output of a recorded op.
struct Operand {
  Tensor tensor;         ///< without its values where the op's derivatives do not read them
  uint32_t version = 0;  ///< of its storage when it was recorded
  bool is_read = false;
};

/// What a gradient rule is given: the op's inputs and its output, as far as its derivatives read
/// them, and dL/d(output).
class Backward {
 public:
  Backward(const char* op, std::span<const Operand> inputs, const Operand& output,
           const Tensor& gradient, const std::vector<bool>& wanted, bool releases)
      : gradient(gradient),
        op_(op),
        inputs_(inputs),
        output_(output),
        wanted_(wanted),
        releases_(releases) {}

  const Tensor& gradient;  ///< dL/d(output)

  size_t size() const { return inputs_.size(); }
  /// Whether anybody wants dL/d(input i); a rule may skip the others.
  bool needs(size_t i) const { return wanted_[i]; }
  const Shape& shape(size_t i) const { return inputs_[i].tensor.shape(); }
  DType dtype(size_t i) const { return inputs_[i].tensor.dtype(); }
  /// Input i for its shape, strides and dtype: its values may have been let go.
  const Tensor& layout(size_t i) const { return inputs_[i].tensor; }
  /// The value of input i. Throws Error when it has changed since the forward pass, and when the
  /// op's derivatives do not list it among what they read.
  const Tensor& input(size_t i) const { return checked(inputs_[i], static_cast<int>(i)); }
  /// All inputs, without values where the rule does not read them.
  std::vector<Tensor> inputs() const;
  const Tensor& output() const { return checked(output_, -1); }
  /// A tensor like input i for its gradient, not initialised. It is input i itself where nobody
  /// needs those values any more, because the pass releases the graph and no other handle shares
  /// them: so a rule reads each part of the input before it writes that part of the gradient.
  Tensor room_for_gradient(size_t i) const;
  const Shape& output_shape() const { return gradient.shape(); }
  /// Whether what the rule computes is itself recorded, for derivatives of derivatives.
  bool is_recorded() const;

 private:
  const Tensor& checked(const Operand& operand, int input) const {
    if (!operand.is_read || operand.version != operand.tensor.version()) fail(operand, input);
    return operand.tensor;
  }
  [[noreturn]] void fail(const Operand& operand, int input) const;

  const char* op_;
  std::span<const Operand> inputs_;
  const Operand& output_;
  const std::vector<bool>& wanted_;
  bool releases_;  ///< the pass does not retain the graph
};

/// dL/d(input): a tensor, or one that is cheaper to add into a buffer than to make (zero outside a
/// slice, outside some rows, or a matrix product).
struct Gradient {
  Gradient() = default;                                ///< no gradient flows here
  Gradient(Tensor value) : value(std::move(value)) {}  // NOLINT: a tensor is a gradient
  Gradient(std::function<Tensor()> whole, std::function<void(Tensor&)> add_to)
      : whole(std::move(whole)), add_to(std::move(add_to)) {}

  Tensor value;
  std::function<Tensor()> whole;        ///< a fresh tensor, made of differentiable ops
  std::function<void(Tensor&)> add_to;  ///< adds it into a contiguous buffer
};

/// The gradients of all inputs of one op, each an expression in tensor ops: so it is itself
/// differentiable. It captures attributes (axes, shapes), never tensors with a history: so that
/// nothing owns itself. An input that was broadcast may get its gradient in the output's shape: the
/// engine sums it. Gradients that are still to be made are made from the last input to the first,
/// so what takes the memory of input 0 may be read by the others. A rule may differentiate on its
/// own: inside EnableGrad its ops are recorded.
using Rule = std::function<std::vector<Gradient>(const Backward&)>;

/// An op's computation again, on other inputs of the same shapes and in any float dtype.
using Forward = std::function<Tensor(const std::vector<Tensor>&)>;

/// One op as an observer sees it.
struct RecordedOp {
  const Op& op;
  const Tensor& output;
  TensorList inputs;
  const Rule& rule;
  Forward forward;
  Attributes attributes;
};

/// Sees what is recorded and differentiated on this thread; the one there is makes a Trace.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_op(RecordedOp op) = 0;
  /// Whether it also sees ops that are not recorded, because no input requires a gradient, and
  /// formulas of elementwise functions function by function.
  virtual bool sees_all() const { return false; }
  virtual void on_seed(const Tensor& output, const Tensor& seed) = 0;
  virtual void on_gradient(const std::shared_ptr<Node>& node, const Tensor& gradient) = 0;
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

/// Whether record() would keep an op on these inputs: one of them requires a gradient, and NoGrad
/// is not in force.
bool is_recording(std::span<const Tensor> inputs);

/// record() without its shortcut.
Tensor record_node(const Op& op, Tensor output, TensorList inputs, Rule rule, Forward forward,
                   Attributes attributes);

/// Notes that `output` was computed from `inputs` by `op`. Nothing is kept where no input requires
/// a gradient or inside NoGrad; otherwise the values that the op's derivatives read. `rule` gives
/// the gradients; nullptr means that the op has no derivative, and a gradient that arrives there is
/// an Error naming it. `forward(inputs)` is the op itself, by which a Trace checks the rule and
/// runs the op on changed inputs, and `attributes()` lists what it was asked for; nobody else pays
/// for them. An output that is an input is returned as a view of it.
template <class R, class F = std::nullptr_t, class A = std::nullptr_t>
Tensor record(const Op& op, Tensor output, TensorList inputs, R&& rule, const F& forward = nullptr,
              const A& attributes = nullptr) {
  Observer* const seen = observing();
  if (!is_recording(inputs) && !(seen && seen->sees_all())) return output;
  Attributes list;
  if constexpr (!std::is_same_v<A, std::nullptr_t>)
    if (seen) list = attributes();
  return record_node(op, std::move(output), inputs, Rule(std::forward<R>(rule)),
                     seen ? Forward(forward) : Forward(), std::move(list));
}

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

/// While it lives, ops on this thread are recorded, also inside a gradient rule or NoGrad.
class EnableGrad {
 public:
  EnableGrad();
  ~EnableGrad();
  EnableGrad(const EnableGrad&) = delete;
  EnableGrad& operator=(const EnableGrad&) = delete;

 private:
  bool before_;
};

/// dL/d(inputs) by a rule, as tensors of the inputs' shapes; undefined where none flows or is
/// wanted. Throws Error in the name of `op` when the rule gives another number of gradients.
std::vector<Tensor> apply_rule(const char* op, const Rule& rule, TensorList inputs,
                               const Tensor& output, const Tensor& gradient,
                               const std::vector<bool>& wanted);

struct GradOptions {
  bool create_graph = false;  ///< record the backward pass, for derivatives of derivatives
  bool retain_graph = false;  ///< do not release the graph (implied by create_graph)
  bool zero_if_unreached =
      false;  ///< zeros, not an Error, for a `wrt` that outputs do not depend on
};

/// Σᵢ d(outputs[i] · seeds[i]) / d(wrt[j]) for every j. `seeds` default to ones for scalars.
/// Leaves' grad() stays untouched.
/// Throws Error when an output does not depend on wrt[j], unless options say zeros.
std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& wrt,
                         const GradOptions& options = {}, const std::vector<Tensor>& seeds = {});

/// A value that the graph behind a tensor keeps for its backward pass.
struct KeptValue {
  std::string op, operand;  ///< "matmul", "a": the operand whose value a derivative reads
  Shape shape;
  DType dtype;
  bool is_leaf;  ///< it is a parameter, whose memory the graph does not add to
};
/// All of them, from the youngest op to the oldest.
std::vector<KeptValue> kept_values(const Tensor& output);

}  // namespace gradus
