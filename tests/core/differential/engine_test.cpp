#include <doctest/doctest.h>
#include <fmt/format.h>

#include <numeric>

#include "core/autograd/accumulate.h"
#include "core/core.h"
#include "core/tensor/error.h"
#include "tests/core/differential/choices.h"
#include "tests/core/differential/scalar_autograd.h"

/// Random programs of tensors (views, changes in place, hooks, shared leaves, several backward
/// passes, gradients of gradients) against the same program of scalars.
namespace gradus::differential {

namespace {

using Scalar = ScalarGraph::Scalar;
using Real = ScalarGraph::Real;

struct Wrong {
  std::string what;
};

class Program {
 public:
  explicit Program(Choices& choices) : choices_(choices) {}

  void run() {
    const auto steps = choices_.between(5, 50), leaves = choices_.between(1, 3);
    for (int64_t i = 0; i < leaves; ++i) make_leaf();
    for (int64_t i = 0; i < steps && !ended_; ++i) step();
    if (!ended_) backward(true);
  }

  int64_t comparisons = 0;
  int passes = 0, second_order = 0, refused = 0, changes = 0;  ///< of this program
  std::string text;

 private:
  /// What a rule reads to make the gradient of one input: a storage, and its version then.
  struct Read {
    size_t storage;
    int version;
  };
  /// A recorded op, or a leaf.
  struct Node {
    std::vector<int> inputs;               ///< nodes, −1 for one without
    std::vector<std::vector<Read>> reads;  ///< for the gradient of each input
    std::vector<Read> may_read;            ///< what it keeps besides
    bool is_leaf = false, released = false;
    bool is_pass = false;  ///< a recorded gradient: it stands for the whole pass
  };
  struct Variable {
    std::string name;
    Tensor tensor;
    Shape shape;
    std::vector<Scalar> now;   ///< the values
    std::vector<Scalar> made;  ///< what the tensor's node computed, before changes in place
    int node = -1;
    size_t storage = 0;
    std::vector<int64_t> places;  ///< of the elements in the storage
    bool is_gradient = false;     ///< its node may be another variable's, too
    bool no_hook = false;  ///< a softmax: its second derivative reads it, the scalars' does not
    std::vector<Real> gradient = {};  ///< of a leaf, accumulated
    bool has_gradient = false;

    bool has_leaf(const std::vector<Node>& nodes) const {
      return node >= 0 && nodes[static_cast<size_t>(node)].is_leaf && !gradient.empty();
    }
  };

  int64_t below(int64_t n) { return choices_.below(static_cast<uint32_t>(n)); }
  bool one_in(uint32_t n) { return choices_.one_in(n); }
  double number() { return static_cast<double>(below(33)) / 8 * (one_in(2) ? -0.5 : 0.5); }
  void line(const std::string& code) { text += "  " + code + "\n"; }
  const Variable& any() {
    return variables_[variables_.size() - 1 -
                      static_cast<size_t>(below(static_cast<int64_t>(variables_.size())))];
  }

  // --- variables --------------------------------------------------------------------------------

  static Shape shapes(int64_t i) {
    const Shape list[] = {{}, {2}, {3}, {2, 3}, {3, 2}, {1, 3}, {2, 1}, {2, 2, 3}};
    return list[i];
  }
  std::vector<Real> numbers(int64_t n) {
    std::vector<Real> result(static_cast<size_t>(n));
    for (Real& x : result) x = number();
    return result;
  }
  static Tensor tensor_of(const std::vector<Real>& x, const Shape& shape) {
    return tensor(std::vector<double>(x.begin(), x.end()), shape);
  }
  static std::string code_of(const Shape& shape) {
    return fmt::format("Shape{{{}}}", fmt::join(shape.begin(), shape.end(), ", "));
  }
  static std::string code_of(const std::vector<Real>& x, const Shape& shape) {
    return fmt::format("tensor(std::vector<double>{{{}}}, {})", fmt::join(x, ", "), code_of(shape));
  }
  std::string next_name() { return fmt::format("t{}", count_++); }

  Variable fresh(const Tensor& tensor, const Shape& shape, std::vector<Scalar> scalars) {
    Variable v{next_name(), tensor, shape, scalars, scalars, -1, versions_.size(), {}};
    versions_.push_back(0);
    v.places.resize(v.now.size());
    std::iota(v.places.begin(), v.places.end(), 0);
    return v;
  }

  void make_leaf() {
    const Shape shape = shapes(below(8));
    const std::vector<Real> x = numbers(shape.numel());
    std::vector<Scalar> scalars;
    const bool is_constant = !variables_.empty() && one_in(5);
    for (Real each : x) scalars.push_back(is_constant ? graph_.constant(each) : graph_.leaf(each));
    Variable v = fresh(tensor_of(x, shape), shape, scalars);
    line(fmt::format("Tensor {} = {};", v.name, code_of(x, shape)));
    if (!is_constant) {
      line(v.name + ".require_grad();");
      v.tensor.require_grad();
      v.node = static_cast<int>(nodes_.size());
      v.gradient.resize(v.now.size());
      nodes_.push_back({{}, {}, {}, true});
    }
    variables_.push_back(v);
  }

  Real value(Scalar x) const { return graph_.value(x); }

  void compare(const std::string& what, const Tensor& got, const Shape& shape,
               const std::vector<Real>& want) {
    if (got.shape() != shape)
      throw Wrong{
          fmt::format("{}: got shape {}, right {}", what, got.shape().text(), shape.text())};
    const std::vector<double> values = got.to_vector<double>();
    for (size_t i = 0; i < want.size(); ++i) {
      ++comparisons;
      peak_ = std::max(peak_, std::abs(want[i]));
      if (!(std::abs(values[i] - want[i]) <= 1e-9L * (1 + peak_)))
        throw Wrong{fmt::format("{}, element {}: got {}, right {}", what, i, values[i], want[i])};
    }
  }
  std::vector<Real> values_of(const std::vector<Scalar>& x) const {
    std::vector<Real> result;
    for (Scalar each : x) result.push_back(value(each));
    return result;
  }
  void check_value(const Variable& v) { compare(v.name, v.tensor, v.shape, values_of(v.now)); }

  // --- ops --------------------------------------------------------------------------------------

  Read read(const Variable& v) const { return {v.storage, versions_[v.storage]}; }

  /// Appends the result of an op: `reads[i]` for the gradient of input i.
  void emit(const std::string& code, const Tensor& tensor, Variable v,
            const std::vector<const Variable*>& inputs, std::vector<std::vector<Read>> reads,
            std::vector<Read> may_read = {}) {
    bool recorded = false;
    std::vector<int> nodes;
    for (const Variable* input : inputs) {
      nodes.push_back(input->node);
      recorded = recorded || input->node >= 0;
    }
    line(fmt::format("{}Tensor {} = {};", no_grad_ ? "/* inside NoGrad */ " : "", v.name, code));
    if (no_grad_) recorded = false;
    if (recorded) {
      v.node = static_cast<int>(nodes_.size());
      nodes_.push_back({nodes, std::move(reads), std::move(may_read)});
    } else {
      for (Scalar& each : v.now) each = graph_.constant(value(each));
      v.made = v.now;
    }
    if (tensor.requires_grad() != recorded)
      throw Wrong{fmt::format("{}: requires_grad() is {}", v.name, tensor.requires_grad())};
    check_value(v);
    for (Scalar each : v.now)
      if (std::abs(value(each)) > 20) return;  // not used any further
    variables_.push_back(std::move(v));
  }

  /// A view, or x itself: the elements `from` of x.
  void view(const std::string& code, const Variable& x, const Tensor& tensor, const Shape& shape,
            const std::vector<size_t>& from, bool copies = false) {
    Variable v = fresh(tensor, shape, {});
    for (size_t i : from) v.now.push_back(graph_.copy(x.now[i]));
    v.made = v.now;
    v.places.resize(v.now.size());
    std::iota(v.places.begin(), v.places.end(), 0);
    if (!copies) {
      v.storage = x.storage;
      for (size_t i = 0; i < from.size(); ++i) v.places[i] = x.places[from[i]];
    }
    if (tensor.is_same_as(x.tensor)) return;  // an op that had nothing to do
    const Variable input = x;
    emit(code, tensor, std::move(v), {&input}, {{}});
  }

  static size_t broadcast_place(Shape index, const Shape& shape) {
    size_t place = 0;
    const int shift = index.rank() - shape.rank();
    for (int axis = 0; axis < shape.rank(); ++axis)
      place = place * static_cast<size_t>(shape[axis]) +
              static_cast<size_t>(shape[axis] == 1 ? 0 : index[axis + shift]);
    return place;
  }
  static std::vector<Shape> indices(const Shape& shape) {
    std::vector<Shape> result;
    for (int64_t i = 0; i < shape.numel(); ++i) result.push_back(index_of(shape, i));
    return result;
  }

  template <class Combine>
  void binary(const char* sign, const Tensor (*op)(const Tensor&, const Tensor&), bool reads,
              const Combine& combine) {
    const Variable a = any(), b = any();
    Shape shape;
    try {
      shape = broadcast("binary", a.shape, b.shape);
    } catch (const Error&) {
      return;
    }
    const Tensor y = with_mode([&] { return op(a.tensor, b.tensor); });
    std::vector<Scalar> scalars;
    for (const Shape& index : indices(shape))
      scalars.push_back(
          combine(a.now[broadcast_place(index, a.shape)], b.now[broadcast_place(index, b.shape)]));
    emit(fmt::format("{} {} {}", a.name, sign, b.name), y, fresh(y, shape, scalars), {&a, &b},
         reads ? std::vector<std::vector<Read>>{{read(b)}, {read(a)}}
               : std::vector<std::vector<Read>>(2));
  }

  template <class F>
  Tensor with_mode(const F& f) {
    const NoGrad pause(no_grad_);
    return f();
  }

  enum class Unary { tanh, sin, exp, relu, scale };
  void unary(Unary kind) {
    const Variable x = any();
    static constexpr const char* codes[] = {"tanh({})", "sin({})", "exp({} * 0.25)", "relu({})",
                                            "{} * -0.5"};
    Tensor y = with_mode([&] {
      switch (kind) {
        case Unary::tanh:
          return tanh(x.tensor);
        case Unary::sin:
          return sin(x.tensor);
        case Unary::exp:
          return exp_of_quarter(x.tensor);
        case Unary::relu:
          return relu(x.tensor);
        default:
          return x.tensor * -0.5;
      }
    });
    std::vector<Scalar> scalars;
    for (Scalar each : x.now) switch (kind) {
        case Unary::tanh:
          scalars.push_back(graph_.tanh(each));
          break;
        case Unary::sin:
          scalars.push_back(graph_.sin(each));
          break;
        case Unary::exp:
          scalars.push_back(graph_.exp(graph_.scale(each, 0.25L)));
          break;
        case Unary::relu:
          scalars.push_back(graph_.relu(each));
          break;
        case Unary::scale:
          scalars.push_back(graph_.scale(each, -0.5L));
          break;
      }
    Variable v = fresh(y, x.shape, scalars);
    std::vector<Read> reads;
    if (kind == Unary::tanh || kind == Unary::exp) reads = {{v.storage, 0}};
    if (kind == Unary::sin || kind == Unary::relu) reads = {read(x)};
    emit(fmt::format(fmt::runtime(codes[static_cast<int>(kind)]), x.name), y, std::move(v), {&x},
         {reads});
  }
  /// One op: a formula.
  static Tensor exp_of_quarter(const Tensor& x) {
    static const Pointwise formula{"exp_of_quarter", [](Expr x) { return exp(x * 0.25); }};
    return formula(x);
  }

  void maximum_of() {
    const Variable a = any(), b = any();
    if (a.shape != b.shape) return;
    const Tensor y = with_mode([&] { return maximum(a.tensor, b.tensor); });
    std::vector<Scalar> scalars;
    for (size_t i = 0; i < a.now.size(); ++i) {
      const Real p = value(a.now[i]), q = value(b.now[i]);
      if (std::abs(p - q) < 1e-12L && p != q) return;  // rounding decides
      scalars.push_back(p == q
                            ? graph_.add(graph_.scale(a.now[i], 0.5L), graph_.scale(b.now[i], 0.5L))
                            : graph_.copy(p > q ? a.now[i] : b.now[i]));
    }
    emit(fmt::format("maximum({}, {})", a.name, b.name), y, fresh(y, a.shape, scalars), {&a, &b},
         {{read(a), read(b)}, {read(a), read(b)}});
  }

  void matmul_of() {
    const Variable a = any(), b = any();
    if (a.shape.rank() != 2 || b.shape.rank() != 2 || a.shape[1] != b.shape[0]) return;
    const int64_t m = a.shape[0], k = a.shape[1], n = b.shape[1];
    const Tensor y = with_mode([&] { return matmul(a.tensor, b.tensor); });
    std::vector<Scalar> scalars;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        std::vector<Scalar> terms;
        for (int64_t l = 0; l < k; ++l)
          terms.push_back(graph_.multiply(a.now[static_cast<size_t>(i * k + l)],
                                          b.now[static_cast<size_t>(l * n + j)]));
        scalars.push_back(graph_.sum(terms));
      }
    emit(fmt::format("matmul({}, {})", a.name, b.name), y, fresh(y, {m, n}, scalars), {&a, &b},
         {{read(b)}, {read(a)}});
  }

  /// sum, mean, softmax, layer_norm and cumsum of groups that differ on one axis.
  void along_axis() {
    const Variable x = any();
    const auto kind = below(5);
    if (x.shape.rank() == 0) return;
    const int axis = kind == 3 ? x.shape.rank() - 1 : static_cast<int>(below(x.shape.rank()));
    const auto n = x.shape[axis];
    const std::string codes[] = {fmt::format("sum({}, {{{}}})", x.name, axis),
                                 fmt::format("mean({}, {{{}}}, keepdims)", x.name, axis),
                                 fmt::format("softmax({}, {})", x.name, axis),
                                 fmt::format("layer_norm({}, {{}}, {{}}, 0.1)", x.name),
                                 fmt::format("cumsum({}, {})", x.name, axis)};
    const Tensor y = with_mode([&] {
      switch (kind) {
        case 0:
          return sum(x.tensor, {axis});
        case 1:
          return mean(x.tensor, {axis}, keepdims);
        case 2:
          return softmax(x.tensor, axis);
        case 3:
          return layer_norm(x.tensor, {}, {}, 0.1);
        default:
          return cumsum(x.tensor, axis);
      }
    });
    const Shape shape = kind == 0   ? x.shape.without(axis)
                        : kind == 1 ? x.shape.with(axis, 1)
                                    : x.shape;
    std::vector<Scalar> scalars(static_cast<size_t>(shape.numel()));
    for (const Shape& first : indices(x.shape.with(axis, 1))) {
      std::vector<size_t> places;
      std::vector<Scalar> row, out;
      for (Shape index = first; index[axis] < n; ++index[axis]) {
        places.push_back(broadcast_place(index, x.shape));
        row.push_back(x.now[places.back()]);
      }
      if (kind <= 1) {
        const Scalar total = graph_.sum(row);
        const Shape to = kind == 0 ? first.without(axis) : first;
        scalars[broadcast_place(to, shape)] = kind == 0 ? total : graph_.scale(total, 1.0L / n);
        continue;
      }
      if (kind == 2) {
        for (Scalar each : row) out.push_back(graph_.exp(each));
        const Scalar inverse = graph_.reciprocal(graph_.sum(out));
        for (Scalar& each : out) each = graph_.multiply(each, inverse);
      } else if (kind == 3) {
        const Scalar mean = graph_.scale(graph_.sum(row), -1.0L / n);
        std::vector<Scalar> squares;
        for (Scalar each : row) {
          out.push_back(graph_.add(each, mean));
          squares.push_back(graph_.multiply(out.back(), out.back()));
        }
        const Scalar r = graph_.reciprocal_root(
            graph_.add(graph_.scale(graph_.sum(squares), 1.0L / n), graph_.constant(0.1)));
        for (Scalar& each : out) each = graph_.multiply(each, r);
      } else {
        for (size_t i = 0; i < row.size(); ++i)
          out.push_back(
              graph_.sum({row.begin(), row.begin() + static_cast<std::ptrdiff_t>(i) + 1}));
      }
      for (size_t i = 0; i < places.size(); ++i) scalars[places[i]] = out[i];
    }
    Variable v = fresh(y, shape, scalars);
    std::vector<Read> reads, may_read;
    if (kind == 2) reads = {{v.storage, 0}};
    if (kind == 3) may_read = {read(x)};  // or a copy in row-major order
    v.no_hook = kind == 2;
    emit(codes[kind], y, std::move(v), {&x}, {reads}, may_read);
  }

  void view_of() {
    const Variable x = any();
    const int rank = x.shape.rank();
    std::vector<size_t> from;
    switch (below(7)) {
      case 0: {  // transpose
        if (rank < 2) return;
        Shape shape = x.shape;
        std::swap(shape[rank - 1], shape[rank - 2]);
        for (Shape index : indices(shape)) {
          std::swap(index[rank - 1], index[rank - 2]);
          from.push_back(broadcast_place(index, x.shape));
        }
        return view(fmt::format("transpose({})", x.name), x,
                    with_mode([&] { return transpose(x.tensor); }), shape, from);
      }
      case 1: {  // slice
        if (rank == 0) return;
        const auto axis = static_cast<int>(below(rank));
        const int64_t begin = below(x.shape[axis]), end = begin + 1 + below(x.shape[axis] - begin),
                      step = 1 + below(2);
        const Shape shape = x.shape.with(axis, (end - begin + step - 1) / step);
        for (Shape index : indices(shape)) {
          index[axis] = begin + index[axis] * step;
          from.push_back(broadcast_place(index, x.shape));
        }
        return view(fmt::format("slice({}, {}, {}, {}, {})", x.name, axis, begin, end, step), x,
                    with_mode([&] { return slice(x.tensor, axis, begin, end, step); }), shape,
                    from);
      }
      case 2: {  // expand
        Shape shape = x.shape;
        for (int axis = 0; axis < rank; ++axis)
          if (shape[axis] == 1) shape[axis] = 2;
        if (shape == x.shape) shape = x.shape.inserted(0, 2);
        if (shape.rank() > 3) return;
        for (const Shape& index : indices(shape)) from.push_back(broadcast_place(index, x.shape));
        return view(fmt::format("expand({}, {})", x.name, code_of(shape)), x,
                    with_mode([&] { return expand(x.tensor, shape); }), shape, from);
      }
      case 3: {  // reshape
        if (!x.tensor.is_contiguous()) return;
        from.resize(x.now.size());
        std::iota(from.begin(), from.end(), size_t{0});
        const Shape shape{x.shape.numel()};
        return view(fmt::format("reshape({}, {})", x.name, code_of(shape)), x,
                    with_mode([&] { return reshape(x.tensor, shape); }), shape, from);
      }
      case 4: {  // clone
        from.resize(x.now.size());
        std::iota(from.begin(), from.end(), size_t{0});
        return view(fmt::format("clone({})", x.name), x, with_mode([&] { return clone(x.tensor); }),
                    x.shape, from, true);
      }
      case 5: {  // rows by number
        if (rank == 0) return;
        const std::vector<int64_t> ids{x.shape[0] - 1, 0, x.shape[0] - 1};
        const auto width = x.now.size() / static_cast<size_t>(x.shape[0]);
        for (int64_t id : ids)
          for (size_t k = 0; k < width; ++k) from.push_back(static_cast<size_t>(id) * width + k);
        return view(fmt::format("gather({}, {})", x.name,
                                fmt::format("tensor(std::vector<int64_t>{{{}}}, {{3}})",
                                            fmt::join(ids, ", "))),
                    x, with_mode([&] { return gather(x.tensor, tensor(ids, {3})); }),
                    x.shape.with(0, 3), from, true);
      }
      default: {  // detach
        Variable v = x;
        v.name = next_name();
        v.tensor = x.tensor.detach();
        v.node = -1;
        v.is_gradient = false;
        for (Scalar& each : v.now) each = graph_.constant(value(each));
        v.made = v.now;
        line(fmt::format("Tensor {} = {}.detach();", v.name, x.name));
        variables_.push_back(v);
      }
    }
  }

  void concat_of() {
    const Variable a = any(), b = any();
    if (a.shape.rank() == 0 || a.shape.rank() != b.shape.rank() ||
        a.shape.with(0, 0) != b.shape.with(0, 0))
      return;
    const Tensor y = with_mode([&] { return concat({a.tensor, b.tensor}, 0); });
    std::vector<Scalar> scalars;
    for (const Variable* part : {&a, &b})
      for (Scalar each : part->now) scalars.push_back(graph_.copy(each));
    if (scalars.size() > 30) return;
    emit(fmt::format("concat({{{}, {}}}, 0)", a.name, b.name), y,
         fresh(y, a.shape.with(0, a.shape[0] + b.shape[0]), scalars), {&a, &b}, {{}, {}});
  }

  // --- changes ----------------------------------------------------------------------------------

  void change() {
    if (has_second_order_) return;  // which values those passes keep is not modelled here
    const Variable& to = any();
    for (size_t i = 0; i < to.places.size(); ++i)
      for (size_t k = 0; k < i; ++k)
        if (to.places[i] == to.places[k]) return;  // expanded
    const Variable* source = nullptr;
    for (const Variable& v : variables_)
      if (v.shape == to.shape && one_in(3)) source = &v;
    const bool adds = one_in(2);
    std::vector<Real> values = numbers(source ? 0 : to.shape.numel());
    const std::string from = source ? source->name : code_of(values, to.shape);
    Tensor target = to.tensor;
    const Tensor given = source ? source->tensor : tensor_of(values, to.shape);
    if (source) values = values_of(source->now);
    line(adds ? fmt::format("add_into({}, {});", to.name, from)
              : fmt::format("{}.assign({});", to.name, from));
    if (adds)
      add_into(target, given);
    else
      target.assign(given);
    ++changes;
    const std::vector<Real> before = values_of(to.now);
    const std::vector<int64_t> places = to.places;
    const size_t storage = to.storage;
    ++versions_[storage];
    for (Variable& v : variables_) {
      if (v.storage != storage) continue;
      for (size_t i = 0; i < v.places.size(); ++i) {
        const auto at = std::find(places.begin(), places.end(), v.places[i]) - places.begin();
        if (at == static_cast<std::ptrdiff_t>(places.size())) continue;
        const auto k = static_cast<size_t>(at);
        v.now[i] = graph_.overwritten(v.now[i], values[k] + (adds ? before[k] : 0));
      }
      check_value(v);
    }
  }

  void hook() {
    const Variable& x = any();
    if (x.node < 0 || x.is_gradient || x.no_hook) return;
    const double factor = one_in(2) ? -2 : 0.5;
    line(fmt::format("{}.on_gradient([](const Tensor& g) {{ return g * {}; }});", x.name, factor));
    x.tensor.on_gradient([factor](const Tensor& g) { return g * factor; });
    for (Scalar each : x.made) graph_.hook(each, factor);
  }

  // --- backward passes --------------------------------------------------------------------------

  enum class Expected { success, error, either };
  /// What a pass from `outputs` to the wanted nodes should do, and the nodes behind the outputs.
  Expected expected(const std::vector<int>& outputs, const std::vector<bool>& target,
                    std::vector<bool>& reached) const {
    reached.assign(nodes_.size(), false);
    for (int output : outputs)
      if (output >= 0) reached[static_cast<size_t>(output)] = true;
    for (size_t i = nodes_.size(); i-- > 0;)
      if (reached[i])
        for (int input : nodes_[i].inputs)
          if (input >= 0) reached[static_cast<size_t>(input)] = true;
    std::vector<bool> wanted = target;
    Expected result = Expected::success;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (!reached[i]) continue;
      const Node& node = nodes_[i];
      if (node.released) return Expected::error;
      const bool itself = wanted[i];
      bool leads = false;
      for (size_t k = 0; k < node.inputs.size(); ++k) {
        if (node.inputs[k] < 0 || !wanted[static_cast<size_t>(node.inputs[k])]) continue;
        leads = true;
        for (const Read& read : node.reads[k])
          if (versions_[read.storage] != read.version) result = Expected::error;
      }
      wanted[i] = itself || leads;
      if (!leads || result == Expected::error) continue;
      auto changed = [&](const Read& read) { return versions_[read.storage] != read.version; };
      for (const auto& reads : node.reads)
        if (std::any_of(reads.begin(), reads.end(), changed)) result = Expected::either;
      if (std::any_of(node.may_read.begin(), node.may_read.end(), changed))
        result = Expected::either;
    }
    for (size_t i = 0; i < nodes_.size(); ++i)
      if (reached[i] && nodes_[i].released) return Expected::error;
    for (size_t i = 0; i < nodes_.size(); ++i)  // not all of a pass may be behind its gradient
      if (reached[i] && nodes_[i].is_pass && result == Expected::error) result = Expected::either;
    return result;
  }

  /// Runs `pass` and says whether it succeeded. Throws Wrong where it should not have, or should.
  template <class Pass>
  bool succeeds(Expected should, const Pass& pass, bool reaches_nothing = false) {
    ++passes;
    try {
      pass();
    } catch (const Error& error) {
      ended_ = true;
      ++refused;
      const std::string what = error.what();
      if (reaches_nothing && what.find("reached no tensor") != std::string::npos) return false;
      if (should == Expected::success) throw Wrong{"threw: " + what};
      if (what.find("changed in place") == std::string::npos &&
          what.find("released") == std::string::npos)
        throw Wrong{"threw something else: " + what};
      return false;
    }
    if (should == Expected::error)
      throw Wrong{
          "no error, though a value that a rule reads has changed, or the graph was released"};
    return true;
  }

  void backward(bool last) {
    no_grad_ = false;
    const Variable y = last ? variables_.back() : any();
    if (y.node < 0) return;
    const bool retain = has_second_order_ || one_in(2);
    const std::vector<Real> seed = numbers(y.shape.numel());
    std::vector<bool> target(nodes_.size()), reached;
    std::vector<Scalar> leaves;
    for (const Variable& v : variables_)
      if (v.has_leaf(nodes_)) {
        target[static_cast<size_t>(v.node)] = true;
        leaves.insert(leaves.end(), v.made.begin(), v.made.end());
      }
    const Expected should = expected({y.node}, target, reached);
    line(fmt::format("{}.backward({}, {});", y.name, code_of(seed, y.shape), retain));
    std::vector<std::pair<Scalar, Scalar>> seeds;
    for (size_t i = 0; i < seed.size(); ++i)
      seeds.emplace_back(y.made[i], graph_.constant(seed[i]));
    const std::vector<Scalar> gradients = graph_.differentiate(seeds, leaves);
    const bool none =
        std::all_of(gradients.begin(), gradients.end(), [](Scalar g) { return g < 0; });
    if (!succeeds(
            should, [&] { y.tensor.backward(tensor_of(seed, y.shape), retain); }, none))
      return;
    size_t at = 0;
    for (Variable& v : variables_) {
      if (!v.has_leaf(nodes_)) continue;
      for (Real& each : v.gradient) {
        const Scalar g = gradients[at++];
        if (g < 0) continue;
        each += value(g);
        v.has_gradient = true;
      }
      if (v.has_gradient) {
        if (!v.tensor.grad().defined()) throw Wrong{v.name + ".grad() is undefined"};
        compare(v.name + ".grad()", v.tensor.grad(), v.shape, v.gradient);
      }
    }
    if (!retain)
      for (size_t i = 0; i < nodes_.size(); ++i)
        if (reached[i] && !nodes_[i].is_leaf) nodes_[i].released = true;
  }

  /// grad() of one or two outputs for one or two variables, perhaps recorded.
  void gradients() {
    std::vector<Variable> outputs, wrt;
    const auto take = [&](std::vector<Variable>& list, int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        const Variable& v = any();
        if (v.node >= 0 && !v.is_gradient) list.push_back(v);
      }
    };
    const bool of_gradient = has_second_order_ && one_in(2);
    take(outputs, 1 + below(2)), take(wrt, 1 + below(2));
    if (has_second_order_) std::erase_if(wrt, [](const Variable& v) { return v.no_hook; });
    if (of_gradient)
      for (const Variable& v : variables_)
        if (v.is_gradient && v.node >= 0) outputs = {v};
    if (outputs.empty() || wrt.empty()) return;
    const bool create = one_in(2), retain = create || has_second_order_ || one_in(2);
    std::vector<bool> target(nodes_.size()), reached;
    std::vector<Tensor> output_tensors, wrt_tensors, seed_tensors;
    std::vector<int> output_nodes;
    std::vector<std::pair<Scalar, Scalar>> seeds;
    std::vector<Scalar> scalars;
    std::vector<std::string> output_names, wrt_names, seed_codes;
    for (const Variable& v : outputs) {
      const std::vector<Real> seed = numbers(v.shape.numel());
      output_tensors.push_back(v.tensor);
      output_nodes.push_back(v.node);
      output_names.push_back(v.name);
      seed_codes.push_back(code_of(seed, v.shape));
      seed_tensors.push_back(tensor_of(seed, v.shape));
      for (size_t i = 0; i < seed.size(); ++i)
        seeds.emplace_back(v.made[i], graph_.constant(seed[i]));
    }
    for (const Variable& v : wrt) {
      target[static_cast<size_t>(v.node)] = true;
      wrt_tensors.push_back(v.tensor);
      wrt_names.push_back(v.name);
      scalars.insert(scalars.end(), v.made.begin(), v.made.end());
    }
    Expected should = expected(output_nodes, target, reached);
    if (create && should == Expected::success)  // the rule may be recorded by a composition
      should = expected_to_keep(reached) ? Expected::success : Expected::either;
    line(
        fmt::format("auto g{} = grad({{{}}}, {{{}}}, {{.create_graph = {}, .retain_graph = {}, "
                    ".zero_if_unreached = true}}, {{{}}});",
                    count_, fmt::join(output_names, ", "), fmt::join(wrt_names, ", "), create,
                    retain, fmt::join(seed_codes, ", ")));
    std::vector<Tensor> result;
    if (!succeeds(should, [&] {
          result = grad(output_tensors, wrt_tensors,
                        {.create_graph = create, .retain_graph = retain, .zero_if_unreached = true},
                        seed_tensors);
        }))
      return;
    std::vector<Scalar> right = graph_.differentiate(seeds, scalars);
    for (Scalar& each : right)
      if (each < 0) each = graph_.constant(0);
    size_t at = 0;
    if (of_gradient) ++second_order;
    std::vector<int> inputs;
    for (size_t i = 0; i < nodes_.size(); ++i)
      if (reached[i]) inputs.push_back(static_cast<int>(i));
    for (size_t k = 0; k < wrt.size(); ++k) {
      std::vector<Scalar> own(right.begin() + static_cast<std::ptrdiff_t>(at),
                              right.begin() + static_cast<std::ptrdiff_t>(at + wrt[k].now.size()));
      at += wrt[k].now.size();
      compare(fmt::format("the gradient of {}", wrt[k].name), result[k], wrt[k].shape,
              values_of(own));
      if (!create || !result[k].requires_grad()) continue;
      Variable v = fresh(result[k], wrt[k].shape, own);
      line(fmt::format("Tensor {} = g{}[{}];", v.name, v.name.substr(1), k));
      v.is_gradient = true;
      v.node = static_cast<int>(nodes_.size());
      nodes_.push_back(
          {inputs, std::vector<std::vector<Read>>(inputs.size()), {}, false, false, true});
      has_second_order_ = true;
      if (peak_ < 1e4L) variables_.push_back(v);
    }
    if (!retain)
      for (size_t i = 0; i < nodes_.size(); ++i)
        if (reached[i] && !nodes_[i].is_leaf) nodes_[i].released = true;
  }
  bool expected_to_keep(const std::vector<bool>& reached) const {
    for (size_t i = 0; i < nodes_.size(); ++i)
      if (reached[i])
        for (const Read& read : nodes_[i].may_read)
          if (versions_[read.storage] != read.version) return false;
    return true;
  }

  void step() {
    if (graph_.size() > 20000) {
      ended_ = true;
      return;
    }
    no_grad_ = one_in(20);
    switch (below(20)) {
      case 0:
        return binary(
            "*", [](const Tensor& a, const Tensor& b) -> const Tensor { return a * b; }, true,
            [&](Scalar a, Scalar b) { return graph_.multiply(a, b); });
      case 1:
        return binary(
            "+", [](const Tensor& a, const Tensor& b) -> const Tensor { return a + b; }, false,
            [&](Scalar a, Scalar b) { return graph_.add(a, b); });
      case 2:
        return unary(Unary::tanh);
      case 3:
        return unary(Unary::sin);
      case 4:
      case 5:
      case 6:
        return view_of();
      case 7:
        return along_axis();
      case 8:
        return change();
      case 9:
        return hook();
      case 10:
        return backward(false);
      case 11:
      case 12:
        return gradients();
      case 13:
        return matmul_of();
      case 14:
        return concat_of();
      case 15:
        return maximum_of();
      case 16:
        return binary(
            "-", [](const Tensor& a, const Tensor& b) -> const Tensor { return a - b; }, false,
            [&](Scalar a, Scalar b) { return graph_.add(a, graph_.scale(b, -1)); });
      case 17:
        return unary(static_cast<Unary>(2 + below(3)));
      case 18:
        return make_leaf();
      default:
        return along_axis();
    }
  }

  Choices& choices_;
  ScalarGraph graph_;
  std::vector<Variable> variables_;
  std::vector<Node> nodes_;
  std::vector<int> versions_;  ///< of the storages
  int count_ = 0;
  bool no_grad_ = false, has_second_order_ = false, ended_ = false;
  Real peak_ = 1;
};

struct Run {
  std::string wrong, text;
  int64_t comparisons = 0;
  int passes = 0, second_order = 0, refused = 0, changes = 0;
};
Run run(Choices& choices) {
  Program program(choices);
  Run result;
  try {
    program.run();
  } catch (const Wrong& wrong) {
    result.wrong = wrong.what;
  } catch (const Error& error) {
    result.wrong = std::string("threw: ") + error.what();
  }
  result.text = program.text;
  result.comparisons = program.comparisons;
  result.passes = program.passes, result.second_order = program.second_order;
  result.refused = program.refused, result.changes = program.changes;
  return result;
}

}  // namespace

TEST_CASE("random programs with views, changes, hooks and several passes agree with scalar ones") {
  const char* more = std::getenv("GRADUS_MORE");
  const int64_t programs = 3000 * (more ? std::atoll(more) : 1);
  Run all;
  for (int64_t i = 0; i < programs; ++i) {
    Choices choices((seed() << 32) + static_cast<uint64_t>(i));
    Run one = run(choices);
    all.comparisons += one.comparisons;
    all.passes += one.passes, all.second_order += one.second_order;
    all.refused += one.refused, all.changes += one.changes;
    if (one.wrong.empty()) continue;
    const auto smallest = shrink(choices.taken(), [](const Choices::List& list) {
      Choices again(list);
      return run(again).wrong.empty() ? std::nullopt : std::optional(again.taken());
    });
    Choices again(smallest);
    one = run(again);
    FAIL(fmt::format("program {} of GRADUS_SEED={}\n{}  // {}", i, seed(), one.text, one.wrong));
  }
  MESSAGE(fmt::format(
      "GRADUS_SEED={}: {} programs, {} passes, {} of them refused, {} of gradients, "
      "{} changes in place, {} comparisons",
      seed(), programs, all.passes, all.refused, all.second_order, all.changes, all.comparisons));
  CHECK(all.refused > programs / 100);
  CHECK(all.second_order > programs / 100);
  CHECK(all.changes > programs / 10);
}

}  // namespace gradus::differential
