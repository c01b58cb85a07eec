#include <doctest/doctest.h>
#include <fmt/format.h>

#include <numeric>

#include "tests/core/differential/polynomials.h"

/// Rows and elements by number, and the order of elements.
namespace gradus::differential {

namespace {

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
