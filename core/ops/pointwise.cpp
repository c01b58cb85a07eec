#include "core/ops/pointwise.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

#include "core/autograd/autograd.h"
#include "core/kernels/buffer.h"
#include "core/kernels/integer_functions.h"
#include "core/kernels/simd.h"
#include "core/ops/movement.h"
#include "core/tensor/error.h"
#include "core/tensor/threads.h"

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
  std::vector<int> outputs;    // the slot of each result
  bool takes_integers = true;  // every function gives integers for integers

  Program(const Formula& formula, const std::vector<int>& roots) {
    const auto& steps = formula.steps();
    std::vector<int> last_use(steps.size(), -1), slot(steps.size(), -1);
    for (int root : roots) last_use[static_cast<size_t>(root)] = static_cast<int>(steps.size());
    for (int i = static_cast<int>(steps.size()) - 1; i >= 0; --i) {
      const Formula::Step& step = steps[static_cast<size_t>(i)];
      if (last_use[static_cast<size_t>(i)] < 0 || !step.function) continue;
      for (int argument : step.arguments)
        if (argument >= 0) {
          int& use = last_use[static_cast<size_t>(argument)];
          use = std::max(use, i);
        }
    }
    int slots = 0;
    for (size_t i = 0; i < steps.size(); ++i)
      if (last_use[i] >= 0 && steps[i].is_input()) {
        inputs.push_back(steps[i].arguments[0]);
        slot[i] = slots++;
      }
    for (size_t i = 0; i < steps.size(); ++i)
      if (last_use[i] >= 0 && steps[i].is_constant()) {
        constants.push_back(steps[i].constant);
        slot[i] = slots++;
      }
    std::vector<int> free;
    for (size_t i = 0; i < steps.size(); ++i) {
      const Formula::Step& step = steps[i];
      if (last_use[i] < 0 || !step.function) continue;
      slot[i] = slots++;
      Instruction instruction{simd::index_of(step.function->name), {}, slot[i]};
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
      for (const int argument : step.arguments) {
        if (argument < 0 || slot[static_cast<size_t>(argument)] < first_target()) continue;
        int& use = last_use[static_cast<size_t>(argument)];
        const int buffer =
            buffers[static_cast<size_t>(slot[static_cast<size_t>(argument)] - first_target())];
        if (use == static_cast<int>(i) && buffer >= 0) free.push_back(buffer), use = -1;
      }
    }
    for (int root : roots) outputs.push_back(slot[static_cast<size_t>(root)]);
    for (const Instruction& instruction : code)
      takes_integers = takes_integers && integer_functions()[instruction.function];
    for (double constant : constants)
      takes_integers =
          takes_integers && std::abs(constant) < 0x1p53 && constant == std::floor(constant);
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

/// A formula has up to eight inputs, and each derivative two more, y and g: this suffices up to the
/// twelfth derivative of such a one. See PointwiseKernel.
constexpr size_t most_operands = 32;
using Operands = std::span<const Tensor* const>;

template <class T>
void execute(const Program& program, Operands inputs, const Shape& shape,
             std::span<T* const> outputs) {
  const int64_t total = shape.numel();
  const size_t source_count = program.inputs.size();
  Source<T> few[10];
  std::vector<Source<T>> many;
  if (source_count > std::size(few)) many.resize(source_count);
  Source<T>* sources = many.empty() ? few : many.data();
  for (size_t i = 0; i < source_count; ++i) {
    const Tensor& x = *inputs[static_cast<size_t>(program.inputs[i])];
    sources[i].data = x.data<T>();
    if (x.numel() == 1) {
      sources[i].kind = Source<T>::repeated;
    } else if (x.shape() == shape && x.is_contiguous()) {
      sources[i].kind = Source<T>::direct;
    } else {
      sources[i].kind = Source<T>::strided;
      sources[i].strides = broadcast_strides(x.shape(), x.strides(), shape);
    }
  }
  const simd::Elementwise<T>* functions = functions_on<T>();
  parallel_for(total, parallel_grain, [&](int64_t range_begin, int64_t range_end) {
    const int64_t size = std::min(tile, range_end - range_begin);
    const size_t first = source_count + program.constants.size();
    const Scratch<T, 8 * tile> scratch((static_cast<int64_t>(first) + program.buffer_count) * size);
    auto scratch_tile = [&](size_t i) { return scratch.data() + i * static_cast<size_t>(size); };
    const Scratch<const T*, 32> slot_list(static_cast<int64_t>(program.slot_count()));
    const T** slots = slot_list.data();
    for (size_t i = 0; i < source_count; ++i)
      if (sources[i].kind == Source<T>::repeated)
        std::fill_n(scratch_tile(i), size, *sources[i].data);
    for (size_t i = 0; i < program.constants.size(); ++i) {
      std::fill_n(scratch_tile(source_count + i), size, static_cast<T>(program.constants[i]));
      slots[source_count + i] = scratch_tile(source_count + i);
    }
    for (int64_t begin = range_begin; begin < range_end; begin += tile) {
      const int64_t n = std::min(tile, range_end - begin);
      for (size_t i = 0; i < source_count; ++i) {
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

/// Leaves the program's results in `results`, new tensors.
void execute(const Program& program, Operands inputs, const Shape& shape, DType dtype,
             std::span<Tensor> results) {
  for (Tensor& result : results) result = Tensor::uninitialised(shape, dtype);
  dispatch(dtype, [&](auto element) {
    using T = decltype(element);
    T* outputs[most_operands];
    for (size_t k = 0; k < results.size(); ++k) outputs[k] = results[k].mutable_data<T>();
    execute<T>(program, inputs, shape, std::span(outputs, results.size()));
  });
}

/// Names live as long as the program: recorded steps point to them.
const char* interned(const std::string& name) {
  static std::mutex mutex;
  static std::set<std::string>& names = *new std::set<std::string>;
  const std::lock_guard lock(mutex);
  return names.insert(name).first->c_str();
}

std::vector<std::string> input_names(int inputs) {
  std::vector<std::string> names;
  for (int i = 0; i < inputs; ++i) names.push_back(operand_name(i, inputs));
  return names;
}

}  // namespace

Tensor scalar::number(int64_t value, DType dtype) {
  return dtype == DType::int64 ? tensor(std::span<const int64_t>(&value, 1), {})
                               : full({}, static_cast<double>(value), dtype);
}

Tensor scalar::number(double value, DType dtype) {
  return full({}, value, dtype == DType::int64 ? DType::float32 : dtype);
}

void scalar::check_divisor(const char* op, const Tensor& b) {
  if (b.is_float()) return;
  const std::vector<int64_t> values = b.to_vector<int64_t>();
  if (const auto zero = std::find(values.begin(), values.end(), 0); zero != values.end())
    throw Error(fmt::format("{}: expected divisors other than 0, got 0 in element {} of {}", op,
                            zero - values.begin(), b.description()));
}

struct PointwiseKernel : std::enable_shared_from_this<PointwiseKernel> {
  PointwiseKernel(const std::string& name, std::shared_ptr<const Formula> formula, int root,
                  int inputs)
      : name(interned(name)),
        formula(std::move(formula)),
        root(root),
        inputs(inputs),
        forward(*this->formula, {root}) {
    if (static_cast<size_t>(inputs) + 2 > most_operands)
      throw Error(
          fmt::format("{}: expected a derivative of at most {} operands, got {}: its order is "
                      "too high",
                      name, most_operands - 2, inputs));
  }

  const char* name;
  std::shared_ptr<const Formula> formula;
  int root, inputs;
  Program forward;

  /// dL/d(input i) as steps of one formula of (inputs…, y, g); made when first asked for.
  struct Derivatives {
    std::shared_ptr<Formula> formula = std::make_shared<Formula>();
    std::vector<int> roots;
    enum Kind { zero, passed_on, computed };  // 0, g, or something else
    std::vector<Kind> kinds;
    std::map<std::vector<bool>, Program> programs;  // by which inputs want one
    std::vector<std::shared_ptr<const PointwiseKernel>> kernels;
    std::vector<Derivative> facts, facts_with_texts;  // the latter when somebody reads them
    const char* text = "";                            // of the function itself
    bool all_zero = true;
  };

  /// With the texts where somebody reads them.
  Op op() const {
    Derivatives& d = derivatives();
    if (!observing()) return {name, "", d.facts};
    const std::lock_guard lock(mutex_);
    if (d.facts_with_texts.empty()) {
      d.facts_with_texts = d.facts;
      for (int i = 0; i < inputs; ++i)
        d.facts_with_texts[static_cast<size_t>(i)].text = interned(derivative_text(i));
      d.text = interned(formula->text(root, input_names(inputs)));
    }
    return {name, d.text, d.facts_with_texts};
  }

  /// Over the inputs, y and g.
  std::string derivative_text(int i) const {
    std::vector<std::string> names = input_names(inputs);
    names.push_back("y");
    names.push_back("g");
    const Derivatives& d = derivatives();
    return d.formula->text(d.roots[static_cast<size_t>(i)], names);
  }

  Derivatives& derivatives() const {
    std::call_once(derived_, [this] {
      derivatives_ = std::make_unique<Derivatives>();
      Derivatives& d = *derivatives_;
      Formula& f = *d.formula;
      const Expr output = f.input(inputs), gradient = f.input(inputs + 1);
      for (const Expr& e : Formula::derivatives(*formula, root, inputs, f, output, gradient)) {
        d.roots.push_back(e.step);
        d.kinds.push_back(f.is_constant(e, 0)       ? Derivatives::zero
                          : e.step == gradient.step ? Derivatives::passed_on
                                                    : Derivatives::computed);
        d.all_zero = d.all_zero && f.is_constant(e, 0);
        Reads reads;
        for (int input : f.inputs_of(e.step))
          if (input <= inputs)
            reads.bits |= input == inputs ? Reads::output_bit : uint32_t{1} << std::min(input, 30);
        d.facts.push_back({"", reads});
      }
      d.kernels.resize(d.roots.size());
    });
    return *derivatives_;
  }

  Tensor apply(std::span<const Tensor> x) const {
    if (static_cast<int>(x.size()) != inputs)
      throw Error(fmt::format("{}: expected {} tensors, got {}", name, inputs, x.size()));
    Shape shape = x[0].shape();
    const Tensor* operands[most_operands];
    for (size_t i = 0; i < x.size(); ++i) {
      if (x[i].dtype() != x[0].dtype()) return apply_promoted(x);
      if (x[i].shape() != shape) shape = broadcast(name, shape, x[i].shape());
      operands[i] = &x[i];
    }
    if (!forward.takes_integers) check_float(name, x[0]);
    const bool is_seen = observer && observer->sees_all();
    if (is_seen && !is_one_function()) return apply_functions(x, shape);
    Tensor output;
    execute(forward, std::span(operands, x.size()), shape, x[0].dtype(), {&output, 1});
    if (!is_recording(x) && !is_seen) return output;
    const Forward again =
        observing() ? Forward([self = shared_from_this()](const auto& x) { return self->apply(x); })
                    : Forward();
    if (!output.is_float()) return record(op(), std::move(output), x, nullptr, again);
    return record(
        op(), std::move(output), x,
        [self = shared_from_this()](const Backward& b) { return self->gradients(b); }, again);
  }

  /// The same with int64 in the dtype of the floats.
  Tensor apply_promoted(std::span<const Tensor> x) const {
    const auto is_float = [](const Tensor& each) { return each.is_float(); };
    const Tensor& first = *std::find_if(x.begin(), x.end(), is_float);
    std::vector<Tensor> same;
    for (const Tensor& each : x) {
      if (each.is_float() && each.dtype() != first.dtype())
        throw Error(fmt::format("{}: expected one float dtype, got {} {} and {} {}; cast() one",
                                name, name_of(first.dtype()), first.description(),
                                name_of(each.dtype()), each.description()));
      same.push_back(cast(each, first.dtype()));
    }
    return apply(same);
  }

  /// Whether it is a row of the table and nothing else.
  bool is_one_function() const {
    const auto& steps = formula->steps();
    const Formula::Step& last = steps.back();
    if (!last.function || static_cast<int>(steps.size()) != inputs + 1) return false;
    for (int i = 0; i < inputs; ++i)
      if (last.arguments[i] != i) return false;
    return last.function->on_tensors().name() == name;
  }

  /// The same value, step by step of the formula.
  Tensor apply_functions(std::span<const Tensor> x, const Shape& shape) const {
    std::vector<Tensor> values;
    for (int i = 0; i <= root; ++i) {
      const Formula::Step& step = formula->steps()[static_cast<size_t>(i)];
      if (step.is_input()) {
        values.push_back(x[static_cast<size_t>(step.arguments[0])]);
      } else if (step.is_constant()) {
        values.push_back(full({}, step.constant, x[0].dtype()));
      } else {
        std::vector<Tensor> arguments;
        for (int argument : step.arguments)
          if (argument >= 0) arguments.push_back(values[static_cast<size_t>(argument)]);
        values.push_back(step.function->on_tensors().run(arguments));
      }
    }
    return values.back().shape() == shape ? values.back() : expand(values.back(), shape);
  }

  std::vector<Gradient> gradients(const Backward& b) const {
    std::vector<Gradient> result(b.size());
    Derivatives& d = derivatives();
    bool any_computed = false;
    for (size_t i = 0; i < result.size(); ++i) {
      if (!b.needs(i)) continue;
      if (d.kinds[i] == Derivatives::passed_on) result[i].value = b.gradient;
      if (d.all_zero) result[i].value = expand(zeros({}, b.gradient.dtype()), b.gradient.shape());
      any_computed = any_computed || d.kinds[i] == Derivatives::computed;
    }
    if (any_computed) compute(b, d, result);
    return result;
  }

  void compute(const Backward& b, Derivatives& d, std::vector<Gradient>& result) const {
    auto is_computed = [&](size_t i) { return b.needs(i) && d.kinds[i] == Derivatives::computed; };
    Reads reads;
    for (size_t i = 0; i < result.size(); ++i)
      if (is_computed(i)) reads = reads | d.facts[i].reads;
    const Tensor* operands[most_operands];
    size_t count = 0;
    for (size_t i = 0; i < b.size(); ++i)
      operands[count++] = reads.input(i) ? &b.input(i) : &b.layout(i);
    operands[count++] = reads.output() ? &b.output() : &b.gradient;  // not read: of the same shape
    operands[count++] = &b.gradient;
    if (b.is_recorded()) {
      std::vector<Tensor> x;
      for (size_t i = 0; i < count; ++i) x.push_back(*operands[i]);
      for (size_t i = 0; i < result.size(); ++i)
        if (is_computed(i)) result[i] = derivative_kernel(i).apply(x);
      return;
    }
    std::vector<bool> wanted;
    std::vector<int> roots;
    for (size_t i = 0; i < result.size(); ++i) {
      wanted.push_back(is_computed(i));
      if (wanted[i]) roots.push_back(d.roots[i]);
    }
    const Program& program = gradient_program(wanted, roots);
    Tensor values[most_operands];
    execute(program, std::span(operands, count), b.output_shape(), b.gradient.dtype(),
            std::span(values, roots.size()));
    for (size_t i = 0, k = 0; i < result.size(); ++i)
      if (wanted[i]) result[i] = std::move(values[k++]);
  }

 private:
  friend class Pointwise;

  const PointwiseKernel& derivative_kernel(size_t i) const {
    Derivatives& d = derivatives();
    const std::lock_guard lock(mutex_);
    if (!d.kernels[i])
      d.kernels[i] = std::make_shared<PointwiseKernel>(fmt::format("{}′", name), d.formula,
                                                       d.roots[i], inputs + 2);
    return *d.kernels[i];
  }

  /// The gradients of those inputs that want one; programs are never moved once they are made.
  const Program& gradient_program(const std::vector<bool>& wanted,
                                  const std::vector<int>& roots) const {
    Derivatives& d = derivatives();
    const std::lock_guard lock(mutex_);
    return d.programs.try_emplace(wanted, *d.formula, roots).first->second;
  }

  mutable std::mutex mutex_;  // of what is made when first asked for
  mutable std::once_flag derived_;
  mutable std::unique_ptr<Derivatives> derivatives_;
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
    throw Error(
        fmt::format("{}: expected an input in [0, {}), got {}", kernel_->name, kernel_->inputs, i));
  const std::lock_guard lock(kernel_->mutex_);
  return kernel_->derivative_text(i);
}

}  // namespace gradus
