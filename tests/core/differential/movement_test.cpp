#include <doctest/doctest.h>
#include <fmt/format.h>

#include <numeric>

#include "tests/core/differential/polynomials.h"

/// Movement: the elements of the result are elements of the inputs.
namespace gradus::differential {

namespace {

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

}  // namespace gradus::differential
