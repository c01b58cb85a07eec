#include <doctest/doctest.h>
#include <fmt/format.h>

#include <numeric>

#include "tests/core/differential/differential.h"

/// Ops whose elements are sums of products of their inputs' elements: movement, sums, products of
/// matrices, rows by number, and the order of elements.
namespace gradus::differential {

namespace {

using Inputs = const std::vector<Tensor>&;
using Factor = Polynomial::Factor;

/// A polynomial whose element at an index of `shape` is one element of an input.
template <class From>
Polynomial picked(const Shape& shape, const From& from) {
  Polynomial result(shape);
  for_each_index(shape, [&](const Shape& index, int64_t place) {
    result.element();
    if (const Factor f = from(index, place); f.place >= 0) result.term({f});
  });
  return result;
}

std::vector<int64_t> numbers(Draw& draw, int64_t count, int64_t below) {
  std::vector<int64_t> ids(static_cast<size_t>(count));
  for (int64_t& id : ids) id = draw.between(0, below - 1);
  return ids;
}

/// Negative, or from the front.
int spelled(Draw& draw, int axis, int rank) { return draw.one_in(3) ? axis - rank : axis; }

Case draw_reshape(Draw& draw) {
  const Shape from = draw.shape();
  draw.input(from);
  // The axes of `from` joined, split, or with others of size 1 among them.
  Shape to;
  int64_t joined = 1;
  for (int axis = 0; axis < from.rank(); ++axis) {
    joined *= from[axis];
    if (axis + 1 < from.rank() && draw.one_in(2)) continue;
    if (joined % 2 == 0 && joined > 0 && to.rank() + from.rank() - axis < 6 && draw.one_in(3)) {
      to.append(2);
      joined /= 2;
    }
    to.append(joined);
    joined = 1;
    if (to.rank() + from.rank() - axis < 6 && draw.one_in(6)) to.append(1);
  }
  Shape asked = to;
  if (to.rank() > 0 && to.numel() > 0 && draw.one_in(3)) asked[draw.axis(to)] = -1;
  const bool copies = draw.one_in(2);
  return case_of(
      fmt::format("reshape({}(a), {})", copies ? "contiguous" : "clone", code_of(asked)),
      [=](Inputs x) { return reshape(copies ? contiguous(x[0]) : clone(x[0]), asked); },
      picked(to, [](const Shape&, int64_t place) {
        return Factor{0, place};
      }));
}

Case draw_permute(Draw& draw) {
  const Shape from = draw.shape();
  draw.input(from);
  std::vector<int> order(static_cast<size_t>(from.rank()));
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = 1; i < order.size(); ++i)
    std::swap(order[i], order[static_cast<size_t>(draw.between(0, static_cast<int64_t>(i)))]);
  Shape to = from;
  for (int k = 0; k < to.rank(); ++k) to[k] = from[order[static_cast<size_t>(k)]];
  return case_of(
      fmt::format("permute(a, {})", code_of(order)), [=](Inputs x) { return permute(x[0], order); },
      picked(to, [=](const Shape& index, int64_t) {
        Shape at = from;
        for (int k = 0; k < at.rank(); ++k) at[order[static_cast<size_t>(k)]] = index[k];
        return Factor{0, place_of(at, from)};
      }));
}

Case draw_transpose(Draw& draw) {
  const Shape from = draw.shape(1);
  draw.input(from);
  const int a = draw.axis(from), b = draw.axis(from);
  Shape to = from;
  to[a] = from[b], to[b] = from[a];
  const int sa = spelled(draw, a, from.rank()), sb = spelled(draw, b, from.rank());
  return case_of(
      fmt::format("transpose(a, {}, {})", sa, sb),
      [=](Inputs x) { return transpose(x[0], sa, sb); }, picked(to, [=](Shape index, int64_t) {
        std::swap(index[a], index[b]);
        return Factor{0, place_of(index, from)};
      }));
}

Case draw_slice(Draw& draw) {
  const Shape from = draw.shape(1);
  draw.input(from);
  const int axis = draw.axis(from);
  const int64_t begin = draw.between(0, from[axis]), end = draw.between(begin, from[axis]),
                step = draw.between(1, 4);
  int64_t count = 0;
  for (int64_t i = begin; i < end; i += step) ++count;
  const int64_t first = begin < from[axis] && draw.one_in(4) ? begin - from[axis] : begin;
  return case_of(
      fmt::format("slice(a, {}, {}, {}, {})", axis, first, end, step),
      [=](Inputs x) { return slice(x[0], axis, first, end, step); },
      picked(from.with(axis, count), [=](Shape index, int64_t) {
        index[axis] = begin + index[axis] * step;
        return Factor{0, place_of(index, from)};
      }));
}

Case draw_index(Draw& draw) {
  // x[{range, number, new_axis, list, ellipsis}] on a tensor of at least four axes
  const Shape from = draw.shape(3, 5, 400);
  draw.input(from);
  const int64_t n = from[0];
  const int64_t begin = draw.between(0, n), end = draw.between(begin, n), step = draw.between(1, 3);
  const bool is_number = from[1] > 0 && draw.one_in(2);
  const int64_t number = is_number ? draw.between(0, from[1] - 1) : 0;
  const Shape list = draw.shape(0, 2, from[2] > 0 ? 12 : 0);
  const bool has_list = from[2] > 0 && draw.one_in(2);
  const auto ids = numbers(draw, list.numel(), std::max<int64_t>(from[2], 1));
  std::vector<int64_t> rows;
  for (int64_t i = begin; i < end; i += step) rows.push_back(i);
  Shape to{static_cast<int64_t>(rows.size())};
  if (!is_number) to.append(from[1]);
  to.append(1);
  if (has_list)
    for (int64_t size : list) to.append(size);
  else
    to.append(from[2]);
  for (int axis = 3; axis < from.rank(); ++axis) to.append(from[axis]);
  const Tensor list_tensor = tensor(ids, list);
  return case_of(
      fmt::format("a[{{range({}, {}, {}), {}, new_axis, {}, ellipsis}}]", begin, end, step,
                  is_number ? std::to_string(number) : "all",
                  has_list ? code_of_ids(ids, list) : "all"),
      [=](Inputs x) {
        return x[0][{range(begin, end, step), is_number ? Index(number) : all, new_axis,
                     has_list ? Index(list_tensor) : all, ellipsis}];
      },
      picked(to, [=](const Shape& index, int64_t) {
        int k = 0;
        Shape at = from;
        at[0] = rows[static_cast<size_t>(index[k++])];
        at[1] = is_number ? number : index[k++];
        ++k;
        if (has_list) {
          Shape id = list;
          for (int axis = 0; axis < list.rank(); ++axis) id[axis] = index[k++];
          at[2] = ids[static_cast<size_t>(place_of(id, list))];
        } else {
          at[2] = index[k++];
        }
        for (int axis = 3; axis < from.rank(); ++axis) at[axis] = index[k++];
        return Factor{0, place_of(at, from)};
      }));
}

Case draw_pad(Draw& draw) {
  const Shape from = draw.shape(1, 6, 1000);
  draw.input(from);
  const int axis = draw.axis(from);
  const int64_t before = draw.between(0, 3), after = draw.between(0, 3), gap = draw.between(0, 2);
  const int64_t n = from[axis], covered = n == 0 ? 0 : n + (n - 1) * gap;
  const double value = draw.attribute();
  const Shape to = from.with(axis, before + covered + after);
  Polynomial right(to);
  for_each_index(to, [&](Shape index, int64_t) {
    right.element();
    const int64_t at = index[axis] - before;
    if (at < 0 || at >= covered || at % (gap + 1) != 0) return right.term({}, value);
    index[axis] = at / (gap + 1);
    right.term({{0, place_of(index, from)}});
  });
  return case_of(
      fmt::format("pad(a, {}, {}, {}, {}, {})", axis, before, after, code_of(value), gap),
      [=](Inputs x) { return pad(x[0], axis, before, after, value, gap); }, right);
}

Case draw_expand(Draw& draw) {
  const Shape to = draw.shape(), from = draw.broadcasting(to);
  draw.input(from);
  return case_of(
      fmt::format("expand(a, {})", code_of(to)), [=](Inputs x) { return expand(x[0], to); },
      picked(to, [=](const Shape& index, int64_t) {
        return Factor{0, broadcast_place(index, from)};
      }));
}

Case draw_unsqueeze(Draw& draw) {
  const Shape from = draw.shape();
  draw.input(from);
  const auto axis = static_cast<int>(draw.between(0, from.rank()));
  const bool back = draw.one_in(2);
  return case_of(
      fmt::format("unsqueeze(a, {})", axis) + (back ? " and squeeze() it" : ""),
      [=](Inputs x) {
        const Tensor y = unsqueeze(x[0], axis);
        return back ? squeeze(y, axis) : y;
      },
      picked(back ? from : from.inserted(axis, 1), [](const Shape&, int64_t place) {
        return Factor{0, place};
      }));
}

Case draw_copy(Draw& draw) {
  const Shape shape = draw.shape();
  draw.input(shape);
  const auto kind = draw.between(0, 2);
  const char* code[] = {"clone(a)", "contiguous(a)", "cast(cast(a, DType::float64), a.dtype())"};
  return case_of(
      code[kind],
      [=](Inputs x) {
        if (kind == 0) return clone(x[0]);
        return kind == 1 ? contiguous(x[0]) : cast(cast(x[0], DType::float64), x[0].dtype());
      },
      picked(shape, [](const Shape&, int64_t place) {
        return Factor{0, place};
      }));
}

Case draw_concat(Draw& draw) {
  const bool stacks = draw.one_in(3);
  const Shape first = draw.shape(stacks ? 0 : 1, 5, 600);
  const auto axis = static_cast<int>(draw.between(0, first.rank() - (stacks ? 0 : 1)));
  const auto count = static_cast<size_t>(draw.between(1, 4));
  std::vector<Shape> shapes;
  Shape to = stacks ? first.inserted(axis, static_cast<int64_t>(count)) : first.with(axis, 0);
  for (size_t i = 0; i < count; ++i) {
    shapes.push_back(stacks || i == 0 ? first : first.with(axis, draw.size(20)));
    if (!stacks) to[axis] += shapes[i][axis];
    draw.input(shapes[i], true, true);
  }
  return case_of(
      fmt::format("{}({{{}}}, {})", stacks ? "stack" : "concat",
                  std::string("a, b, c, d").substr(0, 3 * count - 2), axis),
      [=](Inputs x) { return stacks ? stack(x, axis) : concat(x, axis); },
      picked(to, [=](Shape index, int64_t) {
        size_t part = 0;
        if (stacks) {
          part = static_cast<size_t>(index[axis]);
          index = index.without(axis);
        } else {
          for (; index[axis] >= shapes[part][axis]; ++part) index[axis] -= shapes[part][axis];
        }
        return Factor{part, place_of(index, shapes[part])};
      }));
}

Case draw_split(Draw& draw) {
  const int64_t pieces = draw.between(1, 4);
  Shape from = draw.shape(1, 5, 600);
  const int axis = draw.axis(from);
  from[axis] *= pieces;
  draw.input(from);
  const int64_t which = draw.between(0, pieces - 1), size = from[axis] / pieces;
  return case_of(
      fmt::format("split(a, {}, {})[{}]", pieces, axis, which),
      [=](Inputs x) { return split(x[0], pieces, axis)[static_cast<size_t>(which)]; },
      picked(from.with(axis, size), [=](Shape index, int64_t) {
        index[axis] += which * size;
        return Factor{0, place_of(index, from)};
      }));
}

// --- sums and products along axes ---------------------------------------------------------------

std::string reduction_code(const char* op, const Axes& axes, bool kept) {
  return fmt::format("{}(a, {}{})", op, code_of(axes), kept ? ", keepdims" : "");
}
/// The axes without which the sum is taken, all where none is named.
Axes every(const Axes& axes, const Shape& shape) {
  Axes result = axes;
  if (axes.empty())
    for (int axis = 0; axis < shape.rank(); ++axis) result.push_back(axis);
  return result;
}
Shape reduced(const Shape& shape, const Axes& axes, bool kept) {
  return Grouped{every(axes, shape), false, kept, nullptr, nullptr}.result_shape(shape);
}

Case draw_sum(Draw& draw) {
  const bool is_mean = draw.one_in(3);
  const Shape shape = draw.shape(0, 6, 20000);
  draw.input(shape);
  const Axes axes = draw.axes(shape);
  const bool kept = draw.one_in(2);
  Polynomial right(reduced(shape, axes, kept));
  for (const auto& group : groups(shape, every(axes, shape))) {
    right.element();
    const Real n = static_cast<Real>(group.size());
    for (int64_t place : group) right.term({{0, place}}, is_mean ? 1 / n : 1);
    if (is_mean && group.empty()) right.term({}, not_a_number);
  }
  return case_of(
      reduction_code(is_mean ? "mean" : "sum", axes, kept),
      [=](Inputs x) { return is_mean ? mean(x[0], axes, kept) : sum(x[0], axes, kept); }, right);
}

Case draw_prod(Draw& draw) {
  const Shape shape = draw.shape(0, 6, 40);
  draw.input(shape);
  const Axes axes = draw.axes(shape);
  const bool kept = draw.one_in(2);
  Polynomial right(reduced(shape, axes, kept));
  for (const auto& group : groups(shape, every(axes, shape))) {
    std::vector<Factor> factors;
    for (int64_t place : group) factors.push_back({0, place});
    right.element();
    right.term(factors);
  }
  return case_of(
      reduction_code("prod", axes, kept), [=](Inputs x) { return prod(x[0], axes, kept); }, right);
}

Case draw_scan(Draw& draw, bool products) {
  const Shape shape = draw.shape(1, 6, products ? 40 : 1200);
  draw.input(shape);
  const int axis = draw.axis(shape);
  const bool reverse = !products && draw.one_in(2);
  Polynomial right(shape);
  for_each_index(shape, [&](const Shape& index, int64_t) {
    right.element();
    std::vector<Factor> factors;
    Shape at = index;
    for (at[axis] = reverse ? index[axis] : 0; at[axis] < (reverse ? shape[axis] : index[axis] + 1);
         ++at[axis]) {
      factors.push_back({0, place_of(at, shape)});
      if (!products) right.term({factors.back()});
    }
    if (products) right.term(factors);
  });
  const int as = spelled(draw, axis, shape.rank());
  if (products) right.shares_factors();
  if (products)
    return case_of(
        fmt::format("cumprod(a, {})", as), [=](Inputs x) { return cumprod(x[0], as); }, right);
  return case_of(
      fmt::format("cumsum(a, {}, {})", as, reverse),
      [=](Inputs x) { return cumsum(x[0], as, reverse); }, right);
}

// --- products of matrices -----------------------------------------------------------------------

Case draw_matmul(Draw& draw) {
  const int64_t m = draw.size(40), k = draw.size(300), n = draw.size(40);
  const Shape batches = draw.shape(0, 3, 12);
  Shape a = draw.broadcasting(batches), b = draw.broadcasting(batches);
  const Shape batch_a = a, batch_b = b;
  Shape to = broadcast("matmul", a, b);
  const Shape batch = to;
  a.append(m), a.append(k), b.append(k), b.append(n), to.append(m), to.append(n);
  draw.input(a);
  draw.input(b, true, true);
  Polynomial right(to);
  right.one_after_the_other();
  for_each_index(batch, [&](const Shape& index, int64_t) {
    const int64_t pa = broadcast_place(index, batch_a) * m * k,
                  pb = broadcast_place(index, batch_b) * k * n;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        right.element();
        for (int64_t l = 0; l < k; ++l) right.term({{0, pa + i * k + l}, {1, pb + l * n + j}});
      }
  });
  return case_of(
      "matmul(a, b)", [](Inputs x) { return matmul(x[0], x[1]); }, right);
}

Case draw_linear(Draw& draw) {
  const int64_t in = draw.size(300), out = draw.size(60);
  const Shape rows = draw.shape(0, 4, 40);
  Shape x = rows, to = rows;
  x.append(in), to.append(out);
  draw.input(x);
  draw.input({out, in}, true, true);
  const bool has_bias = draw.one_in(2);
  const Shape bias = draw.one_in(2) ? Shape{out} : draw.broadcasting(to);
  if (has_bias) draw.input(bias);
  Polynomial right(to);
  right.one_after_the_other();
  for_each_index(to, [&](const Shape& index, int64_t place) {
    right.element();
    for (int64_t k = 0; k < in; ++k)
      right.term({{0, place / out * in + k}, {1, index.back() * in + k}});
    if (has_bias) right.term({{2, broadcast_place(index, bias)}});
  });
  return case_of(
      has_bias ? "linear(a, b, c)" : "linear(a, b)",
      [](Inputs x) { return x.size() > 2 ? linear(x[0], x[1], x[2]) : linear(x[0], x[1]); }, right);
}

Case draw_einsum(Draw& draw) {
  // Letters a … e with a size each; up to three operands of up to three letters.
  // Sums of parts of a product may overflow, and meet a factor of 0.
  draw.values = std::min(draw.values, Values::ordinary);
  static constexpr int letters = 5;
  int64_t sizes[letters];
  for (int64_t& size : sizes) size = draw.size(6);
  const auto count = static_cast<size_t>(draw.between(1, 3));
  std::vector<std::vector<int>> operands(count);
  std::string equation;
  std::vector<int> known;
  for (auto& operand : operands) {
    const auto rank = draw.between(0, 3);
    if (&operand != operands.data()) equation += ",";
    Shape shape;
    for (int64_t k = 0; k < rank; ++k) {
      const auto l = static_cast<int>(draw.between(0, letters - 1));
      operand.push_back(l);
      shape.append(sizes[l]);
      equation += static_cast<char>('a' + l);
      if (std::find(known.begin(), known.end(), l) == known.end()) known.push_back(l);
    }
    draw.input(shape);
  }
  std::vector<int> output;
  for (int l : known)
    if (draw.one_in(2))
      output.insert(output.begin() + (output.empty() ? 0 : draw.between(0, 1)), l);
  equation += "->";
  Shape to, all;
  for (int l : output) {
    equation += static_cast<char>('a' + l);
    to.append(sizes[l]);
  }
  std::vector<int> summed;
  for (int l : known)
    if (std::find(output.begin(), output.end(), l) == output.end())
      summed.push_back(l), all.append(sizes[l]);
  Polynomial right(to);
  right.one_after_the_other();
  for_each_index(to, [&](const Shape& index, int64_t) {
    right.element();
    for_each_index(all, [&](const Shape& inner, int64_t) {
      int64_t at[letters] = {};
      for (size_t k = 0; k < output.size(); ++k) at[output[k]] = index[static_cast<int>(k)];
      for (size_t k = 0; k < summed.size(); ++k) at[summed[k]] = inner[static_cast<int>(k)];
      std::vector<Factor> factors;
      for (size_t i = 0; i < count; ++i) {
        int64_t place = 0;
        for (int l : operands[i]) place = place * sizes[l] + at[l];
        factors.push_back({i, place});
      }
      right.term(factors);
    });
  });
  return case_of(
      fmt::format("einsum(\"{}\", {{{}}})", equation,
                  std::string("a, b, c").substr(0, 3 * count - 2)),
      [=](Inputs x) { return einsum(equation, x); }, right);
}

// --- rows by number -----------------------------------------------------------------------------

Case draw_gather(Draw& draw) {
  Shape table = draw.shape(1, 4, 2000);
  table[0] = std::max<int64_t>(table[0], 1);
  draw.input(table);
  const Shape shape = draw.shape(0, 3, 40);
  const auto ids = numbers(draw, shape.numel(), table[0]);
  Shape to = shape;
  const int64_t width = table.numel() / table[0];
  for (int axis = 1; axis < table.rank(); ++axis) to.append(table[axis]);
  const Tensor id_tensor = tensor(ids, shape);
  return case_of(
      fmt::format("gather(a, {})", code_of_ids(ids, shape)),
      [=](Inputs x) { return gather(x[0], id_tensor); },
      picked(to, [=](const Shape&, int64_t place) {
        return Factor{0, ids[static_cast<size_t>(place / width)] * width + place % width};
      }));
}

Case draw_scatter_add(Draw& draw) {
  const Shape shape = draw.shape(0, 3, 200), row = draw.shape(0, 2, 12);
  Shape from = shape;
  for (int64_t size : row) from.append(size);
  const int64_t rows = draw.between(1, 6), width = row.numel();
  draw.input(from);
  const auto ids = numbers(draw, shape.numel(), rows);
  const Tensor id_tensor = tensor(ids, shape);
  Polynomial right(row.inserted(0, rows));
  for (int64_t to = 0; to < rows; ++to)
    for (int64_t k = 0; k < width; ++k) {
      right.element();
      for (size_t i = 0; i < ids.size(); ++i)
        if (ids[i] == to) right.term({{0, static_cast<int64_t>(i) * width + k}});
    }
  return case_of(
      fmt::format("scatter_add({}, {}, a)", rows, code_of_ids(ids, shape)),
      [=](Inputs x) { return scatter_add(rows, id_tensor, x[0]); }, right);
}

Case draw_index_select(Draw& draw) {
  Shape from = draw.shape(1, 4, 600);
  const int axis = draw.axis(from);
  from[axis] = std::max<int64_t>(from[axis], 1);
  draw.input(from);
  const Shape shape = draw.shape(0, 2, 20);
  const auto ids = numbers(draw, shape.numel(), from[axis]);
  Shape to;
  for (int k = 0; k < from.rank(); ++k)
    if (k != axis)
      to.append(from[k]);
    else
      for (int64_t size : shape) to.append(size);
  const Tensor id_tensor = tensor(ids, shape);
  const int as = spelled(draw, axis, from.rank());
  return case_of(
      fmt::format("index_select(a, {}, {})", as, code_of_ids(ids, shape)),
      [=](Inputs x) { return index_select(x[0], as, id_tensor); },
      picked(to, [=](const Shape& index, int64_t) {
        Shape at = from, id = shape;
        for (int k = 0; k < axis; ++k) at[k] = index[k];
        for (int k = 0; k < shape.rank(); ++k) id[k] = index[axis + k];
        for (int k = axis + 1; k < from.rank(); ++k) at[k] = index[k + shape.rank() - 1];
        at[axis] = ids[static_cast<size_t>(place_of(id, shape))];
        return Factor{0, place_of(at, from)};
      }));
}

Case draw_take_along_axis(Draw& draw) {
  Shape to = draw.shape(1, 4, 300);
  const int axis = draw.axis(to);
  Shape from = to, shape = to;
  for (int k = 0; k < to.rank(); ++k) {
    if (draw.one_in(5))
      from[k] = 1;
    else if (draw.one_in(5))
      shape[k] = 1;
  }
  shape[axis] = to[axis];
  from[axis] = draw.between(1, 6);
  draw.input(from);
  const auto ids = numbers(draw, shape.numel(), from[axis]);
  const Tensor id_tensor = tensor(ids, shape);
  return case_of(
      fmt::format("take_along_axis(a, {}, {})", code_of_ids(ids, shape), axis),
      [=](Inputs x) { return take_along_axis(x[0], id_tensor, axis); },
      picked(to, [=](Shape index, int64_t) {
        index[axis] = ids[static_cast<size_t>(broadcast_place(index, shape))];
        return Factor{0, broadcast_place(index, from)};
      }));
}

/// Zeros and ones as a float tensor, in another layout where it is drawn.
Draw::Input mask_of(Draw& draw, const Shape& shape) {
  Draw::Input mask = draw.make(shape, Values::tie);
  mask.tensor = greater(mask.tensor, 0);
  mask.code = fmt::format("greater({}, 0)", mask.code);
  for (Number& x : mask.array.values) x = x.v > 0 ? 1 : 0;
  return mask;
}

Case draw_masked_select(Draw& draw) {
  const Shape shape = draw.shape(0, 5, 1000), from = draw.broadcasting(shape);
  draw.input(from);
  const Shape mask_shape = draw.one_in(2) ? shape : draw.broadcasting(shape);
  const Draw::Input mask = mask_of(draw, mask_shape);
  const Shape common = broadcast("masked_select", from, mask_shape);
  std::vector<Factor> taken;
  for_each_index(common, [&](const Shape& index, int64_t) {
    if (mask.array[broadcast_place(index, mask_shape)].v != 0)
      taken.push_back({0, broadcast_place(index, from)});
  });
  return case_of(
      fmt::format("masked_select(a, {})", mask.code),
      [=](Inputs x) { return masked_select(x[0], mask.tensor); },
      picked({static_cast<int64_t>(taken.size())},
             [=](const Shape&, int64_t i) { return taken[static_cast<size_t>(i)]; }));
}

Case draw_masked_fill(Draw& draw) {
  const Shape shape = draw.shape();
  draw.input(shape);
  const Shape mask_shape = draw.broadcasting(shape);
  const Draw::Input mask = mask_of(draw, mask_shape);
  const bool ignores = draw.one_in(2);
  const double value = draw.one_in(3) ? -INFINITY : draw.attribute();
  Polynomial right(shape);
  for_each_index(shape, [&](const Shape& index, int64_t place) {
    right.element();
    if ((mask.array[broadcast_place(index, mask_shape)].v != 0) == ignores)
      right.term({}, value);
    else
      right.term({{0, place}});
  });
  return case_of(
      fmt::format("masked_fill(a, Mask::{}({}), {})", ignores ? "ignore" : "attend", mask.code,
                  code_of(value)),
      [=](Inputs x) {
        return masked_fill(x[0], ignores ? Mask::ignore(mask.tensor) : Mask::attend(mask.tensor),
                           value);
      },
      right);
}

// --- order --------------------------------------------------------------------------------------

/// NaN counts as larger than every number; what is equal keeps its order.
std::vector<int64_t> order_of(const std::vector<Number>& x, bool descending) {
  std::vector<int64_t> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  auto before = [&](int64_t i, int64_t k) {
    const Real a = x[static_cast<size_t>(i)].v, b = x[static_cast<size_t>(k)].v;
    const bool less = a < b || (std::isnan(b) && !std::isnan(a));
    const bool more = a > b || (std::isnan(a) && !std::isnan(b));
    return descending ? more : less;
  };
  for (size_t i = 1; i < order.size();
       ++i)  // insertion sort: stable, and nothing like the library's
    for (size_t k = i; k > 0 && before(order[k], order[k - 1]); --k)
      std::swap(order[k], order[k - 1]);
  return order;
}

/// sort, argsort, topk, argmax and argmin: of each group along an axis, `count` numbers in order.
Case draw_sort(Draw& draw) {
  Shape shape = draw.shape(1, 5, 300);
  const int axis = draw.axis(shape);
  const auto kind = draw.between(0, 5);
  if (kind >= 4) shape[axis] = std::max<int64_t>(shape[axis], 1);
  draw.input(shape);
  const bool descending = kind == 4 || (kind < 4 && draw.one_in(2));
  const int64_t n = shape[axis], k = kind == 2 || kind == 3 ? draw.between(0, n)
                                     : kind >= 4            ? 1
                                                            : n;
  const Shape sorted = shape.with(axis, k), to = kind >= 4 ? shape.without(axis) : sorted;
  const bool gives_numbers = kind == 1 || kind >= 3;
  // Where each element of the result comes from, by the values, which only the case knows.
  auto sources = [=](const Array& x) {
    std::vector<int64_t> from(static_cast<size_t>(sorted.numel()));
    const auto all = groups(shape, {axis});
    const auto to_places = groups(sorted, {axis});
    for (size_t g = 0; g < all.size(); ++g) {
      std::vector<Number> members;
      for (int64_t place : all[g]) members.push_back(x[place]);
      std::vector<int64_t> order = order_of(members, descending);
      if (kind == 5)  // the first NaN counts as the smallest, too
        for (size_t i = 0; i < members.size(); ++i)
          if (std::isnan(members[i].v)) {
            order[0] = static_cast<int64_t>(i);
            break;
          }
      for (int64_t i = 0; i < k; ++i)
        from[static_cast<size_t>(to_places[g][static_cast<size_t>(i)])] =
            gives_numbers ? order[static_cast<size_t>(i)]
                          : all[g][static_cast<size_t>(order[static_cast<size_t>(i)])];
    }
    return from;
  };
  Case c;
  const std::string code[] = {fmt::format("sort(a, {}, {}).values", axis, descending),
                              fmt::format("argsort(a, {}, {})", axis, descending),
                              fmt::format("topk(a, {}, {}, {}).values", k, axis, descending),
                              fmt::format("topk(a, {}, {}, {}).indices", k, axis, descending),
                              fmt::format("argmax(a, {})", axis),
                              fmt::format("argmin(a, {})", axis)};
  c.code = code[kind];
  c.library = [=](Inputs x) {
    switch (kind) {
      case 0:
        return sort(x[0], axis, descending).values;
      case 1:
        return argsort(x[0], axis, descending);
      case 2:
        return topk(x[0], k, axis, descending).values;
      case 3:
        return topk(x[0], k, axis, descending).indices;
      case 4:
        return argmax(x[0], axis);
      default:
        return argmin(x[0], axis);
    }
  };
  c.value = [=](const Arrays& x) {
    Array y(to);
    const auto from = sources(x[0]);
    for (size_t i = 0; i < from.size(); ++i)
      y.values[i] = gives_numbers ? Number(static_cast<Real>(from[i])) : x[0][from[i]];
    return y;
  };
  if (!gives_numbers)
    c.gradients = [=](const Arrays& x, const Array& g) {
      Array dx(shape);
      const auto from = sources(x[0]);
      for (size_t i = 0; i < from.size(); ++i) dx[from[i]] = g.values[i];
      return Arrays{dx};
    };
  return c;
}

Case draw_one_hot(Draw& draw) {
  const Shape shape = draw.shape(0, 4, 60);
  const int64_t classes = draw.between(1, 20);
  const auto ids = numbers(draw, shape.numel(), classes);
  const Tensor id_tensor = tensor(ids, shape);
  Shape to = shape;
  to.append(classes);
  Polynomial right(to);
  for_each_index(to, [&](const Shape& index, int64_t place) {
    right.element();
    right.term({}, ids[static_cast<size_t>(place / classes)] == index.back() ? 1 : 0);
  });
  const DType dtype = draw.dtype;
  return case_of(
      fmt::format("one_hot({}, {}, DType::{})", code_of_ids(ids, shape), classes, name_of(dtype)),
      [=](Inputs) { return one_hot(id_tensor, classes, dtype); }, right);
}

}  // namespace

TEST_CASE("movement of random tensors is exact, and so is what flows back") {
  check({{"reshape", draw_reshape},
         {"permute", draw_permute},
         {"transpose", draw_transpose},
         {"slice", draw_slice},
         {"an index in brackets", draw_index},
         {"pad", draw_pad},
         {"expand", draw_expand},
         {"unsqueeze and squeeze", draw_unsqueeze},
         {"clone, contiguous and cast", draw_copy},
         {"concat and stack", draw_concat},
         {"split", draw_split},
         {"masked_select", draw_masked_select},
         {"masked_fill", draw_masked_fill}},
        1'500'000);
}

TEST_CASE("sums and products over any axes of random tensors are as exact as pairwise ones") {
  check({{"sum and mean", draw_sum},
         {"prod", draw_prod},
         {"cumsum", [](Draw& draw) { return draw_scan(draw, false); }},
         {"cumprod", [](Draw& draw) { return draw_scan(draw, true); }}},
        1'500'000);
}

TEST_CASE("products of random matrices, their batches and their transposes are within their ulps") {
  check({{"matmul", draw_matmul}, {"linear", draw_linear}, {"einsum", draw_einsum}}, 1'000'000);
}

TEST_CASE("rows by number and elements in order of random tensors are exact") {
  check({{"gather", draw_gather},
         {"scatter_add", draw_scatter_add},
         {"index_select", draw_index_select},
         {"take_along_axis", draw_take_along_axis},
         {"one_hot", draw_one_hot},
         {"sort, argsort, topk, argmax and argmin", draw_sort, 4}},
        1'500'000);
}

}  // namespace gradus::differential
