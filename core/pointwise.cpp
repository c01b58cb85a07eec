#include "core/pointwise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "core/autograd.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/simd.h"

namespace gradus {

namespace {

constexpr int64_t tile = 512;  // elements; a formula's intermediate values stay in L1
constexpr int64_t parallel_grain = 32 * tile;

/// A formula without what its results do not need, with the intermediate tiles assigned.
struct Program {
  struct Instruction {
    int function;
    int operands[3];
    int target;
  };
  std::vector<int> inputs;        // slot i holds input number inputs[i]
  std::vector<double> constants;  // the slots after them
  std::vector<Instruction> code;  // targets: the slots after those
  std::vector<int> buffers;       // per instruction: which scratch tile, or −1 − output
  int buffer_count = 0;
  std::vector<int> outputs;  // the slot of each result

  Program(const Formula& formula, const std::vector<int>& roots) {
    const auto& steps = formula.steps();
    std::vector<int> last_use(steps.size(), -1), slot(steps.size(), -1);
    for (int root : roots) last_use[static_cast<size_t>(root)] = static_cast<int>(steps.size());
    for (int i = static_cast<int>(steps.size()) - 1; i >= 0; --i) {
      const Formula::Step& step = steps[static_cast<size_t>(i)];
      if (last_use[static_cast<size_t>(i)] < 0 || step.function < 0) continue;
      for (int argument : step.arguments)
        if (argument >= 0) {
          int& use = last_use[static_cast<size_t>(argument)];
          use = std::max(use, i);
        }
    }
    int slots = 0;
    for (size_t i = 0; i < steps.size(); ++i)
      if (last_use[i] >= 0 && steps[i].function == Formula::input_step) {
        inputs.push_back(steps[i].arguments[0]);
        slot[i] = slots++;
      }
    for (size_t i = 0; i < steps.size(); ++i)
      if (last_use[i] >= 0 && steps[i].function == Formula::constant_step) {
        constants.push_back(steps[i].constant);
        slot[i] = slots++;
      }
    std::vector<int> free;
    for (size_t i = 0; i < steps.size(); ++i) {
      const Formula::Step& step = steps[i];
      if (last_use[i] < 0 || step.function < 0) continue;
      slot[i] = slots++;
      Instruction instruction{step.function, {}, slot[i]};
      for (int k = 0; k < 3; ++k)
        if (step.arguments[k] >= 0)
          instruction.operands[k] = slot[static_cast<size_t>(step.arguments[k])];
      code.push_back(instruction);
      const auto root = std::find(roots.begin(), roots.end(), static_cast<int>(i));
      if (root != roots.end()) {
        buffers.push_back(-1 - static_cast<int>(root - roots.begin()));
      } else {
        if (free.empty()) free.push_back(buffer_count++);
        buffers.push_back(free.back());
        free.pop_back();
      }
      // A kernel may write where it reads: give tiles back only after their last reader.
      for (size_t j = 0, at = 0; j <= i; ++j)
        if (slot[j] >= first_target()) {
          if (last_use[j] == static_cast<int>(i) && buffers[at] >= 0) free.push_back(buffers[at]);
          ++at;
        }
    }
    for (int root : roots) outputs.push_back(slot[static_cast<size_t>(root)]);
  }

  int first_target() const { return static_cast<int>(inputs.size() + constants.size()); }
  size_t slot_count() const { return inputs.size() + constants.size() + code.size(); }
};

/// One input as the program reads it.
template <class T>
struct Source {
  const T* data;
  Strides strides;
  enum { direct, repeated, strided } kind;
};

/// Copies elements [begin, begin + n), counted in row-major order, of a strided array.
template <class T>
void copy_range(const Source<T>& source, const Shape& shape, int64_t begin, int64_t n, T* to) {
  int64_t index[Shape::max_rank], offset = 0;
  const int last = shape.rank() - 1;
  for (int axis = last; axis >= 0; --axis) {
    index[axis] = begin % shape[axis];
    begin /= shape[axis];
    offset += index[axis] * source.strides[axis];
  }
  const int64_t step = source.strides[last];
  while (n > 0) {
    const int64_t run = std::min(n, shape[last] - index[last]);
    const T* from = source.data + offset;
    if (step == 1)
      std::memcpy(to, from, static_cast<size_t>(run) * sizeof(T));
    else if (step == 0)
      std::fill_n(to, run, *from);
    else
      for (int64_t i = 0; i < run; ++i) to[i] = from[i * step];
    to += run;
    n -= run;
    offset -= index[last] * step;
    index[last] = 0;
    for (int axis = last - 1; axis >= 0; --axis) {
      offset += source.strides[axis];
      if (++index[axis] < shape[axis]) break;
      offset -= source.strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

template <class T>
void execute(const Program& program, std::span<const Tensor> inputs, const Shape& shape,
             std::span<T* const> outputs) {
  const int64_t total = shape.numel();
  std::vector<Source<T>> sources;
  for (int number : program.inputs) {
    const Tensor& x = inputs[static_cast<size_t>(number)];
    Source<T> source{x.data<T>(), broadcast_strides(x.shape(), x.strides(), shape),
                     Source<T>::strided};
    if (x.numel() == 1)
      source.kind = Source<T>::repeated;
    else if (x.shape() == shape && x.is_contiguous())
      source.kind = Source<T>::direct;
    sources.push_back(source);
  }
  const auto& functions = simd::kernels<T>().functions;
  parallel_for(total, parallel_grain, [&](int64_t range_begin, int64_t range_end) {
    const int64_t size = std::min(tile, range_end - range_begin);
    const size_t first = sources.size() + program.constants.size();
    thread_local std::vector<T> scratch;
    const size_t needed =
        (first + static_cast<size_t>(program.buffer_count)) * static_cast<size_t>(size);
    if (scratch.size() < needed) scratch.resize(needed);
    auto scratch_tile = [&](size_t i) { return scratch.data() + i * static_cast<size_t>(size); };
    thread_local std::vector<const T*> slots;
    slots.resize(program.slot_count());
    for (size_t i = 0; i < sources.size(); ++i)
      if (sources[i].kind == Source<T>::repeated)
        std::fill_n(scratch_tile(i), size, *sources[i].data);
    for (size_t i = 0; i < program.constants.size(); ++i) {
      std::fill_n(scratch_tile(sources.size() + i), size, static_cast<T>(program.constants[i]));
      slots[sources.size() + i] = scratch_tile(sources.size() + i);
    }
    for (int64_t begin = range_begin; begin < range_end; begin += tile) {
      const int64_t n = std::min(tile, range_end - begin);
      for (size_t i = 0; i < sources.size(); ++i) {
        slots[i] = sources[i].kind == Source<T>::direct ? sources[i].data + begin : scratch_tile(i);
        if (sources[i].kind == Source<T>::strided)
          copy_range(sources[i], shape, begin, n, scratch_tile(i));
      }
      for (size_t i = 0; i < program.code.size(); ++i) {
        const Program::Instruction& instruction = program.code[i];
        const int buffer = program.buffers[i];
        T* target = buffer < 0 ? outputs[static_cast<size_t>(-1 - buffer)] + begin
                               : scratch_tile(first + static_cast<size_t>(buffer));
        slots[first + i] = target;
        functions[instruction.function](slots[instruction.operands[0]],
                                        slots[instruction.operands[1]],
                                        slots[instruction.operands[2]], target, n);
      }
      for (size_t k = 0; k < outputs.size(); ++k) {
        const T* value = slots[program.outputs[k]];
        if (value != outputs[k] + begin)  // an input, a constant, or the same as another output
          std::memcpy(outputs[k] + begin, value, static_cast<size_t>(n) * sizeof(T));
      }
    }
  });
}

std::vector<Tensor> execute(const char* name, const Program& program,
                            std::span<const Tensor> inputs, const Shape& shape, DType dtype) {
  std::vector<Tensor> results;
  for (size_t k = 0; k < program.outputs.size(); ++k)
    results.push_back(Tensor::uninitialised(shape, dtype));
  dispatch_float(name, dtype, [&](auto element) {
    using T = decltype(element);
    std::vector<T*> outputs;
    for (const Tensor& result : results) outputs.push_back(result.data<T>());
    execute<T>(program, inputs, shape, outputs);
  });
  return results;
}

/// Names live as long as the program: recorded steps point to them.
const char* interned(const std::string& name) {
  static std::mutex mutex;
  static std::set<std::string> names;
  const std::lock_guard lock(mutex);
  return names.insert(name).first->c_str();
}

std::vector<std::string> input_names(int inputs) {
  if (inputs == 1) return {"x"};
  std::vector<std::string> names;
  for (int i = 0; i < inputs; ++i) names.push_back(std::string(1, static_cast<char>('a' + i)));
  return names;
}

}  // namespace

struct PointwiseKernel : std::enable_shared_from_this<PointwiseKernel> {
  PointwiseKernel(const std::string& name, std::shared_ptr<const Formula> formula, int root,
                  int inputs)
      : name(interned(name)),
        formula(std::move(formula)),
        root(root),
        inputs(inputs),
        forward(*this->formula, {root}) {}

  const char* name;
  std::shared_ptr<const Formula> formula;
  int root, inputs;
  Program forward;

  /// dL/d(input i) as steps of one formula of (inputs…, y, g); made when first asked for.
  struct Derivative {
    std::shared_ptr<Formula> formula = std::make_shared<Formula>();
    std::vector<int> roots;
    std::map<std::vector<bool>, Program> programs;  // by which inputs want one
    std::vector<std::shared_ptr<const PointwiseKernel>> kernels;
    bool all_zero = true;
  };

  /// With the texts where somebody reads them.
  Op op() const {
    if (!observer) return name;
    const std::lock_guard lock(mutex_);
    if (!op_) {
      std::string text;
      for (int i = 0; i < inputs; ++i)
        text += fmt::format("{}dL/d{} = {}", i == 0 ? "" : ", ",
                            input_names(inputs)[static_cast<size_t>(i)], derivative_text(i));
      op_.emplace(name, interned(formula->text(root, input_names(inputs))), interned(text));
    }
    return *op_;
  }

  /// Over the inputs, y and g.
  std::string derivative_text(int i) const {
    std::vector<std::string> names = input_names(inputs);
    names.push_back("y");
    names.push_back("g");
    const Derivative& d = derivative();
    return d.formula->text(d.roots[static_cast<size_t>(i)], names);
  }

  Derivative& derivative() const {
    if (!derivative_) {
      derivative_ = std::make_unique<Derivative>();
      Formula& f = *derivative_->formula;
      const Expr output = f.input(inputs), gradient = f.input(inputs + 1);
      for (const Expr& e : Formula::derivatives(*formula, root, inputs, f, output, gradient)) {
        derivative_->roots.push_back(e.step);
        derivative_->all_zero = derivative_->all_zero && f.is_constant(e, 0);
      }
      derivative_->kernels.resize(derivative_->roots.size());
    }
    return *derivative_;
  }

  Tensor apply(std::span<const Tensor> x) const {
    if (static_cast<int>(x.size()) != inputs)
      throw Error(fmt::format("{}: takes {} tensors, was given {}", name, inputs, x.size()));
    Shape shape = x[0].shape();
    for (const Tensor& each : x) check_float(name, each);
    for (const Tensor& other : x.subspan(1)) {
      if (other.dtype() != x[0].dtype())
        throw Error(fmt::format("{}: dtypes differ: {} {} and {} {}; cast() one of them", name,
                                name_of(x[0].dtype()), x[0].description(), name_of(other.dtype()),
                                other.description()));
      shape = broadcast(name, shape, other.shape());
    }
    Tensor output = execute(name, forward, x, shape, x[0].dtype())[0];
    if (!is_recording(x)) return output;
    std::vector<Tensor> list(x.begin(), x.end());
    bool differentiable;
    {
      const std::lock_guard lock(mutex_);
      differentiable = !derivative().all_zero;
    }
    if (!differentiable) return record(op(), output, std::move(list), nullptr);
    return record(
        op(), output, std::move(list),
        [self = shared_from_this()](const Backward& b) { return self->gradients(b); },
        [self = shared_from_this()](const auto& x) { return self->apply(x); });
  }

  std::vector<Gradient> gradients(const Backward& b) const {
    std::vector<Tensor> x = b.inputs;
    x.push_back(b.output);
    x.push_back(b.gradient);
    const bool record_again = is_recording(x);
    std::vector<Gradient> result(b.inputs.size());
    std::vector<bool> wanted(b.inputs.size());
    std::vector<int> roots;
    const std::lock_guard lock(mutex_);
    Derivative& d = derivative();
    for (size_t i = 0; i < result.size(); ++i) {
      if (!b.needs(i) || d.formula->is_constant({d.formula.get(), d.roots[i]}, 0)) continue;
      if (d.roots[i] == d.formula->input(inputs + 1).step) {
        result[i] = b.gradient;
      } else if (record_again) {
        if (!d.kernels[i])
          d.kernels[i] = std::make_shared<PointwiseKernel>(fmt::format("{}′", name), d.formula,
                                                           d.roots[i], inputs + 2);
        result[i] = d.kernels[i]->apply(x);
      } else {
        wanted[i] = true;
        roots.push_back(d.roots[i]);
      }
    }
    if (roots.empty()) return result;
    const auto found = d.programs.try_emplace(wanted, *d.formula, roots).first;
    const std::vector<Tensor> values =
        execute(name, found->second, x, b.output.shape(), b.output.dtype());
    for (size_t i = 0, k = 0; i < result.size(); ++i)
      if (wanted[i]) result[i] = values[k++];
    return result;
  }

 private:
  friend class Pointwise;
  mutable std::mutex mutex_;
  mutable std::unique_ptr<Derivative> derivative_;
  mutable std::optional<Op> op_;
};

Pointwise::Pointwise(std::string name, Written written)
    : kernel_(std::make_shared<PointwiseKernel>(name, std::move(written.formula), written.root,
                                                written.inputs)) {}

Tensor Pointwise::run(std::span<const Tensor> inputs) const { return kernel_->apply(inputs); }

Expr Pointwise::paste(std::span<const Expr> inputs) const {
  return common_formula(inputs).paste(*kernel_->formula, kernel_->root, inputs);
}

std::string Pointwise::name() const { return kernel_->name; }

std::string Pointwise::formula() const {
  return kernel_->formula->text(kernel_->root, input_names(kernel_->inputs));
}

std::string Pointwise::derivative(int i) const {
  if (i < 0 || i >= kernel_->inputs)
    throw Error(fmt::format("{}: has no input {}", kernel_->name, i));
  const std::lock_guard lock(kernel_->mutex_);
  return kernel_->derivative_text(i);
}

}  // namespace gradus
