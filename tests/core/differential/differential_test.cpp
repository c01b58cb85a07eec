#include "tests/core/differential/differential.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <numeric>
#include <set>

namespace gradus::differential {

int64_t place_of(const Shape& index, const Shape& shape) {
  int64_t place = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) place = place * shape[axis] + index[axis];
  return place;
}

int64_t broadcast_place(const Shape& index, const Shape& shape) {
  const int shift = index.rank() - shape.rank();
  int64_t place = 0;
  for (int axis = 0; axis < shape.rank(); ++axis)
    place = place * shape[axis] + (shape[axis] == 1 ? 0 : index[axis + shift]);
  return place;
}

void for_each_index(const Shape& shape, const std::function<void(const Shape&, int64_t)>& f) {
  const int64_t n = shape.numel();
  Shape index = shape;
  for (int axis = 0; axis < shape.rank(); ++axis) index[axis] = 0;
  for (int64_t place = 0; place < n; ++place) {
    f(index, place);
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
}

// --- what a case is made of ---------------------------------------------------------------------

Draw::Draw(Choices& choices)
    : choices(choices), dtype(choices.below(2) == 0 ? DType::float32 : DType::float64) {
  precision = dtype == DType::float32 ? Precision::of<float>() : Precision::of<double>();
  values = static_cast<Values>(choices.below(4));
}

int64_t Draw::size(int64_t most) {
  static constexpr int64_t sizes[] = {1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 0, 5, 5, 7, 17, 17, 17, 17};
  const uint32_t kind = choices.below(std::size(sizes) + 1);
  const int64_t large = between(18, 1200);
  const int64_t n = kind < std::size(sizes) ? sizes[kind] : large;
  return n <= most ? n : std::max<int64_t>(1, most);
}

Shape Draw::shape(int least_rank, int most_rank, int64_t most) {
  Shape result;
  const auto rank = between(least_rank, most_rank);
  if (!one_in(10)) most = std::min<int64_t>(most, 60);
  for (int64_t axis = 0; axis < rank; ++axis) {
    const int64_t n = size(most);
    result.append(n);
    most /= std::max<int64_t>(n, 1);
  }
  return result;
}

Shape Draw::broadcasting(const Shape& to) {
  Shape result;
  const int64_t missing = one_in(3) ? between(0, to.rank()) : 0;
  for (auto axis = static_cast<int>(missing); axis < to.rank(); ++axis)
    result.append(one_in(4) ? 1 : to[axis]);
  return result;
}

Axes Draw::axes(const Shape& shape) {
  Axes result;
  for (int axis = 0; axis < shape.rank(); ++axis)
    if (one_in(2)) result.push_back(axis);
  return result;
}

Real Draw::number(Values kind) {
  const bool is_float32 = dtype == DType::float32;
  auto fits = [&](double x) { return is_float32 ? static_cast<Real>(static_cast<float>(x)) : x; };
  static constexpr double simple[] = {0, 1, -1, 2, 0.5, -2, 3, -0.5};
  const uint32_t c = choices.below(1u << 24);
  switch (kind) {
    case Values::tie:
      return simple[c % 8];
    case Values::ordinary:
      return c < 8 ? simple[c] : fits((c - 8388608.0) / 2097152 + c / 1e11);  // in (−4, 4)
    case Values::wide: {
      if (c < 8) return simple[c];
      const double mantissa = 1 + (c % 4096) / 4096.0;
      return fits((c & 4096 ? -1 : 1) * mantissa *
                  std::pow(10, static_cast<int>(c >> 13) % 61 - 30));
    }
    case Values::special:
      break;
  }
  if (c % 3 == 0) return number(Values::ordinary);
  const double largest =
      is_float32 ? std::numeric_limits<float>::max() : std::numeric_limits<double>::max();
  const double normal = static_cast<double>(precision.smallest_normal);
  const double list[] = {0.,    -0.,   1.,     -1.,    INFINITY,    -INFINITY,   NAN,     1e30,
                         -1e30, 1e-30, -1e-30, normal, normal / 16, -normal / 2, largest, -largest,
                         88.5,  -88.5, 709.9,  -745.5, 104.,        20.,         -20.,    0x1p-24};
  return fits(list[c / 3 % std::size(list)]);
}

Real Draw::integer() {
  const auto small = static_cast<Real>(choices.below(8)) - 3;
  if (values == Values::tie) return small == -3 ? 0 : small;
  static constexpr int64_t ends[] = {std::numeric_limits<int64_t>::min(),
                                     std::numeric_limits<int64_t>::max()};
  const uint32_t kind = choices.below(8);
  if (values == Values::special && kind < 2) return static_cast<Real>(ends[kind]);
  const Real high = static_cast<Real>(choices.below(1u << 31)) - 0x1p30L;
  return kind < 5 ? small : high * (kind < 7 ? 1 : 0x1p32L) + small;
}

std::string code_of(const Shape& shape) {
  return fmt::format("{{{}}}", fmt::join(shape.begin(), shape.end(), ", "));
}
std::string code_of(const Axes& axes) { return fmt::format("{{{}}}", fmt::join(axes, ", ")); }
std::string code_of(double number) {
  if (std::isnan(number)) return "NAN";
  if (std::isinf(number)) return number > 0 ? "INFINITY" : "-INFINITY";
  return fmt::format("{:.17g}", number);
}
std::string code_of_ids(const std::vector<int64_t>& ids, const Shape& shape) {
  return fmt::format("tensor(std::vector<int64_t>{{{}}}, Shape{})", fmt::join(ids, ", "),
                     code_of(shape));
}

namespace {
/// The storage of an input.
Tensor stored(const std::vector<Real>& values, const Shape& shape, DType dtype) {
  return dispatch(dtype, [&](auto element) {
    return tensor(std::vector<decltype(element)>(values.begin(), values.end()), shape);
  });
}
}  // namespace

Draw::Input Draw::make(const Shape& shape, Values kind, DType dtype) {
  const int rank = shape.rank();
  const uint32_t layout = choices.below(8);  // 0: in row-major order
  const bool permuted = layout == 1 || layout == 2, gaps = layout == 2 || layout == 3,
             expanded = layout == 4 || layout == 5, overlapping = layout == 6;
  std::vector<int> order(static_cast<size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  if (permuted)
    for (size_t i = 1; i < order.size(); ++i)
      std::swap(order[i], order[choices.below(static_cast<uint32_t>(i) + 1)]);
  Strides strides = shape;
  int64_t step = gaps ? 2 : 1;
  const int64_t offset = gaps || layout == 7 ? 1 : 0;
  for (size_t i = order.size(); i > 0; --i) {
    const int axis = order[i - 1];
    const bool repeats = expanded && (layout == 5 || one_in(2));
    strides[axis] = repeats ? 0 : step;
    if (!repeats && !overlapping) step *= std::max<int64_t>(shape[axis], 1) + (gaps ? 1 : 0);
  }
  int64_t count = offset + 1;
  for (int axis = 0; axis < rank; ++axis)
    count += std::max<int64_t>(shape[axis] - 1, 0) * strides[axis];
  if (shape.numel() == 0 && layout == 0) count = 0;

  std::vector<Real> storage(static_cast<size_t>(count));
  for (Real& x : storage) x = dtype == DType::int64 ? integer() : number(kind);
  std::vector<std::string> text;
  for (Real x : storage) {
    text.push_back(dtype == DType::int64 ? fmt::format("{}", static_cast<int64_t>(x))
                                         : code_of(static_cast<double>(x)));
    if (text.size() == 200) text.push_back(fmt::format("… {} in all", count));
    if (text.size() > 200) break;
  }
  Input input;
  input.array = Array(shape);
  input.differentiable = true;
  const Shape flat = layout == 0 ? shape : Shape{count};
  input.tensor = stored(storage, flat, dtype);
  static constexpr const char* types[] = {"float", "double", "int64_t"};
  input.code = fmt::format("tensor(std::vector<{}>{{{}}}, Shape{})", types[static_cast<int>(dtype)],
                           fmt::join(text, ", "), code_of(flat));
  if (layout != 0) {
    input.tensor = input.tensor.view(shape, strides, offset);
    input.code += fmt::format(".view({}, {}, {})", code_of(shape), code_of(strides), offset);
  }
  for_each_index(shape, [&](const Shape& index, int64_t place) {
    int64_t at = layout == 0 ? place : offset;
    for (int axis = 0; axis < rank && layout != 0; ++axis) at += index[axis] * strides[axis];
    input.array[place] = storage[static_cast<size_t>(at)];
  });
  return input;
}

void Draw::input(const Shape& shape, bool differentiable, bool same_as_first) {
  if (same_as_first && !inputs.empty() && inputs[0].array.shape == shape && one_in(6)) {
    inputs.push_back(inputs[0]);
    inputs.back().same_as = 0;
    return;
  }
  input(shape, values);
  inputs.back().differentiable = differentiable;
}

void Draw::input(const Shape& shape, Values kind) {
  inputs.push_back(make(shape, kind));
  inputs.back().same_as = inputs.size() - 1;
}

void Draw::integers(const Shape& shape) {
  inputs.push_back(make(shape, values, DType::int64));
  inputs.back().same_as = inputs.size() - 1;
  inputs.back().differentiable = false;
}

// --- running cases ------------------------------------------------------------------------------

namespace {

char letter(size_t input) { return static_cast<char>('a' + input); }

struct Result {
  int64_t comparisons = 0;
  bool failed = false;
  std::string snippet;
  size_t input_elements = 0;
};

/// "" where `got` is as it should be, else what is wrong.
std::string difference(const std::string& what, const Tensor& got, const Array& want,
                       int64_t& comparisons) {
  if (!got.defined()) {  // no gradient flows
    for (const Number& x : want.values)
      if (!agrees(0, x))
        return fmt::format("{}: got none, right {}", what, static_cast<double>(x.v));
    return "";
  }
  if (got.shape() != want.shape)
    return fmt::format("{}: got shape {}, right {}", what, got.shape().text(), want.shape.text());
  comparisons += want.size();
  auto compare = [&](const auto& values) -> std::string {
    for (int64_t i = 0; i < want.size(); ++i) {
      const Real x = static_cast<Real>(values[static_cast<size_t>(i)]),
                 off = std::abs(x - want[i].v);
      if (!agrees(x, want[i]))
        return fmt::format(
            "{}, element {}: got {:.20g}, right {:.20g}, off by {:.3g} ({:.3g} ulp), "
            "allowed {:.3g}",
            what, i, x, want[i].v, off, off / std::abs(want[i].v) / precision.epsilon, want[i].e);
    }
    return "";
  };
  return got.is_float() ? compare(got.to_vector<double>()) : compare(got.to_vector<int64_t>());
}

Result run_case(const Op& op, Choices& choices) {
  Result result;
  Draw draw(choices);
  const Case c = op.draw(draw);
  Arrays arrays;
  std::vector<Tensor> tensors;
  for (const Draw::Input& input : draw.inputs) {
    result.input_elements += input.array.values.size();
    arrays.push_back(input.array);
    tensors.push_back(input.tensor);
  }
  const Array want = c.value(arrays);
  std::string wrong, gradient_code;
  try {
    if (c.gradients)
      for (size_t i = 0; i < tensors.size(); ++i)
        if (draw.inputs[i].differentiable && draw.inputs[i].same_as == i) tensors[i].require_grad();
    const Tensor y = c.library(tensors);
    wrong = difference("y", y, want, result.comparisons);
    if (wrong.empty() && c.gradients && y.requires_grad()) {
      Draw::Input g = draw.make(want.shape, std::min(draw.values, Values::wide));
      gradient_code = g.code;
      Arrays right = c.gradients(arrays, g.array);
      bool reached = true;
      try {
        y.backward(g.tensor);
      } catch (const Error& error) {
        if (std::string(error.what()).find("reached no tensor") == std::string::npos) throw;
        reached = false;
      }
      for (size_t i = 0; i < tensors.size() && wrong.empty(); ++i) {
        if (!draw.inputs[i].differentiable || draw.inputs[i].same_as != i) continue;
        for (int64_t at = 0; at < right[i].size(); ++at) {
          Sum total;
          for (size_t k = i; k < tensors.size(); ++k)
            if (draw.inputs[k].same_as == i) total.add(right[k][at]);
          right[i][at] = total.total();
        }
        wrong = difference(fmt::format("{}.grad()", letter(i)),
                           reached ? tensors[i].grad() : Tensor(), right[i], result.comparisons);
      }
    }
  } catch (const std::exception& error) {
    wrong = fmt::format("threw: {}", error.what());
  }
  if (wrong.empty()) return result;
  result.failed = true;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Draw::Input& input = draw.inputs[i];
    result.snippet +=
        fmt::format("  const Tensor {} = {};\n", letter(i),
                    input.same_as == i ? input.code : std::string(1, letter(input.same_as)));
    if (input.differentiable && input.same_as == i && c.gradients)
      result.snippet += fmt::format("  {}.require_grad();\n", letter(i));
  }
  result.snippet += fmt::format("  const Tensor y = {};\n", c.code);
  if (!gradient_code.empty()) result.snippet += fmt::format("  y.backward({});\n", gradient_code);
  result.snippet += fmt::format("  // {}\n", wrong);
  return result;
}

}  // namespace

Outcome run(const std::vector<Op>& ops, int64_t comparisons, uint64_t seed) {
  Outcome outcome;
  std::vector<const Op*> list;
  for (const Op& op : ops) list.insert(list.end(), static_cast<size_t>(op.weight), &op);
  for (uint64_t i = 0; outcome.comparisons < comparisons && !list.empty(); ++i) {
    const Op& op = *list[i % list.size()];
    Choices choices((seed << 32) + i);
    Result result = run_case(op, choices);
    ++outcome.cases;
    outcome.comparisons += result.comparisons;
    if (!result.failed) continue;
    std::erase(list, &op);
    const auto smallest = shrink(choices.taken(), [&](const Choices::List& list) {
      Choices again(list);
      return run_case(op, again).failed ? std::optional(again.taken()) : std::nullopt;
    });
    Choices again(smallest);
    result = run_case(op, again);
    outcome.failures.push_back({op.name, result.snippet, result.input_elements});
  }
  return outcome;
}

void check(const std::vector<Op>& ops, int64_t comparisons) {
  const char* more = std::getenv("GRADUS_MORE");
  const Outcome outcome = run(ops, comparisons * (more ? std::atoll(more) : 1), seed());
  MESSAGE(fmt::format("GRADUS_SEED={}: {} comparisons in {} cases", seed(), outcome.comparisons,
                      outcome.cases));
  for (const Failure& failure : outcome.failures)
    FAIL_CHECK(fmt::format("{} (GRADUS_SEED={})\n{}", failure.op, seed(), failure.snippet));
  if (outcome.failures.empty()) CHECK(outcome.comparisons >= comparisons);
}

// --- kinds of references ------------------------------------------------------------------------

Number Polynomial::product(const Arrays& x, size_t term, size_t without, const Number& g) const {
  Real v = 1, large = 1, small = 1;
  int count = 0;
  auto multiply = [&](Real factor) {
    if (factor == 1) return;
    v *= factor, ++count;
    if (!std::isfinite(factor)) return;
    large *= std::max<Real>(std::abs(factor), 1);
    if (factor != 0) small *= std::min<Real>(std::abs(factor), 1);
  };
  multiply(g.v);
  multiply(terms_[term].coefficient);
  if (terms_[term].coefficient != 1) ++count;  // it was rounded
  for (size_t k = terms_[term].first; k < end_of(term); ++k)
    if (k != without) multiply(x[factors_[k].input][factors_[k].place].v);
  if (count < 2 && !slow_) return v;
  // In any order: a part may have overflown, or become subnormal and then grown again.
  if (std::isinf(v) && small < precision.smallest_normal) return anything();
  if (!std::isfinite(v)) return {v, 0, large};
  const Real smallest = slow_ ? precision.smallest_normal : precision.smallest;
  return {v, count * (precision.epsilon * std::abs(v) + smallest * large), large};
}

Array Polynomial::value(const Arrays& x) const {
  Array result(shape_);
  for (size_t i = 0; i < elements_.size(); ++i) {
    const size_t end = i + 1 < elements_.size() ? elements_[i + 1] : terms_.size();
    Sum total(slow_);
    for (size_t term = elements_[i]; term < end; ++term)
      total.add(product(x, term, SIZE_MAX, Real{1}));
    result.values[i] = total.total();
  }
  return result;
}

Arrays Polynomial::gradients(const Arrays& x, const Array& g) const {
  std::vector<std::vector<Sum>> sums;
  for (const Array& each : x) sums.emplace_back(each.values.size(), Sum(slow_));
  for (size_t i = 0; i < elements_.size(); ++i) {
    const size_t end = i + 1 < elements_.size() ? elements_[i + 1] : terms_.size();
    for (size_t term = elements_[i]; term < end; ++term)
      for (size_t k = terms_[term].first; k < end_of(term); ++k) {
        sums[factors_[k].input][static_cast<size_t>(factors_[k].place)].add(
            product(x, term, k, g.values[i]));
      }
  }
  Arrays result;
  for (size_t input = 0; input < x.size(); ++input) {
    result.emplace_back(x[input].shape);
    for (size_t i = 0; i < sums[input].size(); ++i) {
      const Number total = sums[input][i].total();
      result.back().values[i] = shares_ && !std::isfinite(total.v) ? anything() : total;
    }
  }
  return result;
}

Case case_of(std::string code, std::function<Tensor(const std::vector<Tensor>&)> library,
             Polynomial polynomial) {
  auto shared = std::make_shared<const Polynomial>(std::move(polynomial));
  return {std::move(code), std::move(library),
          [shared](const Arrays& x) { return shared->value(x); },
          [shared](const Arrays& x, const Array& g) { return shared->gradients(x, g); }};
}

namespace {
Shape common_shape(const Function& f, const Arrays& x) {
  Shape shape;
  for (int i = 0; i < f.arity; ++i)
    shape = broadcast(f.name, shape, x[static_cast<size_t>(i)].shape);
  return shape;
}
}  // namespace

Array apply(const Function& f, const Arrays& x) {
  Array result(common_shape(f, x));
  for_each_index(result.shape, [&](const Shape& index, int64_t place) {
    Number operands[3];
    for (size_t i = 0; i < static_cast<size_t>(f.arity); ++i)
      operands[i] = x[i][broadcast_place(index, x[i].shape)];
    result[place] = f.value(operands);
  });
  return result;
}

Arrays gradients(const Function& f, const Arrays& x, const Array& g) {
  const auto arity = static_cast<size_t>(f.arity);
  std::vector<std::vector<Sum>> sums;
  for (const Array& each : x) sums.emplace_back(each.values.size());
  for_each_index(common_shape(f, x), [&](const Shape& index, int64_t place) {
    Number operands[3], partials[3];
    for (size_t i = 0; i < arity; ++i) operands[i] = x[i][broadcast_place(index, x[i].shape)];
    f.partials(operands, g[place], partials);
    for (size_t i = 0; i < arity; ++i)
      sums[i][static_cast<size_t>(broadcast_place(index, x[i].shape))].add(partials[i]);
  });
  Arrays result;
  for (size_t i = 0; i < arity; ++i) {
    result.emplace_back(x[i].shape);
    for (size_t at = 0; at < sums[i].size(); ++at) result.back().values[at] = sums[i][at].total();
  }
  return result;
}

std::vector<std::vector<int64_t>> groups(const Shape& shape, const Axes& axes) {
  const std::set<int> within(axes.begin(), axes.end());
  Shape outer = shape;
  for (int axis : axes) outer[axis] = 1;
  std::vector<std::vector<int64_t>> result(static_cast<size_t>(outer.numel()));
  for_each_index(shape, [&](const Shape& index, int64_t place) {
    result[static_cast<size_t>(broadcast_place(index, outer))].push_back(place);
  });
  return result;
}

Shape Grouped::result_shape(const Shape& shape) const {
  if (keeps_shape) return shape;
  Shape result;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const bool reduced = std::find(axes.begin(), axes.end(), axis) != axes.end();
    if (!reduced || keepdims) result.append(reduced ? 1 : shape[axis]);
  }
  return result;
}

Array Grouped::apply(const Array& x) const {
  Array result(result_shape(x.shape));
  const auto all = groups(x.shape, axes);
  for (size_t i = 0; i < all.size(); ++i) {
    std::vector<Number> members;
    for (int64_t place : all[i]) members.push_back(x[place]);
    const std::vector<Number> y = value(members);
    if (keeps_shape)
      for (size_t k = 0; k < y.size(); ++k) result[all[i][k]] = y[k];
    else
      result.values[i] = y[0];
  }
  return result;
}

Array Grouped::gradient_of(const Array& x, const Array& g) const {
  Array result(x.shape);
  const auto all = groups(x.shape, axes);
  for (size_t i = 0; i < all.size(); ++i) {
    std::vector<Number> members, flowing;
    for (int64_t place : all[i]) {
      members.push_back(x[place]);
      if (keeps_shape) flowing.push_back(g[place]);
    }
    if (!keeps_shape) flowing.push_back(g.values[i]);
    const std::vector<Number> gradient = this->gradient(members, flowing);
    for (size_t k = 0; k < gradient.size(); ++k) result[all[i][k]] = gradient[k];
  }
  return result;
}

// --- the test of the test -----------------------------------------------------------------------

TEST_CASE("a wrong op is found, and shrunk to the smallest input that shows it") {
  const auto sum_over_axis = [](Draw& draw, auto library) {
    const Shape shape = draw.shape(1);
    const int axis = draw.axis(shape);
    draw.input(shape);
    Polynomial right(shape.without(axis));
    for (const auto& group : groups(shape, {axis})) {
      right.element();
      for (int64_t place : group) right.term({{0, place}});
    }
    return case_of(
        fmt::format("sum(a, {{{}}})", axis), [=](const auto& x) { return library(x[0], axis); },
        right);
  };
  const Outcome value = run({{"forgets the fourth of five",
                              [&](Draw& draw) {
                                return sum_over_axis(draw, [](const Tensor& x, int axis) {
                                  if (x.size(axis) < 5) return sum(x, {axis});
                                  return sum(x, {axis}) - sum(slice(x, axis, 3, 4), {axis});
                                });
                              }}},
                            100000, 1);
  REQUIRE(value.failures.size() == 1);
  CAPTURE(value.failures[0].snippet);
  CHECK(value.failures[0].input_elements == 5);

  const Outcome gradient =
      run({{"loses the gradient of what is not in order",
            [&](Draw& draw) {
              return sum_over_axis(draw, [](const Tensor& x, int axis) {
                return sum(x.is_contiguous() ? x : x * 0.5 + x.detach() * 0.5, {axis});
              });
            }}},
          100000, 1);
  REQUIRE(gradient.failures.size() == 1);
  CAPTURE(gradient.failures[0].snippet);
  CHECK(gradient.failures[0].input_elements <= 2);
  CHECK(gradient.failures[0].snippet.find("a.grad(), element 0: got ") != std::string::npos);
}

}  // namespace gradus::differential
