#include "core/ops/movement.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "core/autograd/accumulate.h"
#include "core/kernels/simd.h"
#include "core/tensor/error.h"
#include "core/tensor/threads.h"

namespace gradus {

namespace {

/// The strides under which `x` has `shape`, if there are any.
bool viewable(const Tensor& x, const Shape& shape, Strides& strides) {
  strides = contiguous_strides(shape);
  if (x.is_contiguous()) return true;
  int from = 0, to = 0;
  const Shape& old = x.shape();
  while (to < shape.rank() && from < old.rank()) {
    // The next group of axes on each side that hold the same number of elements.
    const int from_begin = from, to_begin = to;
    int64_t old_count = old[from++], new_count = shape[to++];
    while (old_count != new_count) {
      if (old_count < new_count) {
        if (from == old.rank()) return false;
        old_count *= old[from++];
      } else {
        if (to == shape.rank()) return false;
        new_count *= shape[to++];
      }
    }
    int64_t step = 0;      // of the group's last axis that is longer than 1
    int64_t expected = 0;  // the stride that continues the group without a gap
    for (int axis = from - 1; axis >= from_begin; --axis) {
      if (old[axis] == 1) continue;
      if (step == 0 && expected == 0)
        step = x.strides()[axis];
      else if (x.strides()[axis] != expected)
        return false;
      expected = x.strides()[axis] * old[axis];
    }
    for (int axis = to - 1; axis >= to_begin; --axis) {
      strides[axis] = step;
      step *= shape[axis];
    }
  }
  return true;  // only axes of size 1 are left over
}

/// Sizes as an attribute.
std::vector<int64_t> list_of(const Shape& shape) { return {shape.begin(), shape.end()}; }

}  // namespace

Tensor reshape(const Tensor& x, Shape shape) {
  const Shape asked = shape;
  int64_t known = 1;
  int open = -1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == -1 && open < 0)
      open = axis;
    else
      known *= shape[axis];
  }
  if (open >= 0 && known > 0 && x.numel() % known == 0) shape[open] = x.numel() / known;
  if (shape.numel() != x.numel() ||
      std::any_of(shape.begin(), shape.end(), [](auto n) { return n < 0; }))
    throw Error(fmt::format("reshape: {} elements of {} do not fit the shape {}", x.numel(),
                            x.description(), asked.text()));
  if (shape == x.shape()) return x;
  Strides strides;
  if (!viewable(x, shape, strides))
    throw Error(
        fmt::format("reshape: {} is a strided view that cannot be seen as {}; "
                    "contiguous() it first",
                    x.description(), shape.text()));
  return record(
      {"reshape", "x in another shape", {{"g in the shape of x"}}, true}, x.view(shape, strides),
      {x},
      [](const Backward& b) {
        return std::vector<Gradient>{reshape(contiguous(b.gradient), b.shape(0))};
      },
      [shape](const auto& x) { return reshape(x[0], shape); },
      [&] {
        return Attributes{{"shape", list_of(shape)}};
      });
}

Tensor permute(const Tensor& x, std::span<const int> order) {
  const std::vector<int> all = checked_axes("permute", order, x.shape());
  if (static_cast<int>(order.size()) != x.rank())
    throw Error(fmt::format("permute: {} wants an order of {} axes, was given ({})",
                            x.description(), x.rank(), fmt::join(order, ", ")));
  Shape shape = x.shape(), strides = x.strides();
  std::vector<int> inverse(order.size());
  for (int k = 0; k < x.rank(); ++k) {
    const int from = checked_axis("permute", order[static_cast<size_t>(k)], x.shape());
    shape[k] = x.shape()[from];
    strides[k] = x.strides()[from];
    inverse[static_cast<size_t>(from)] = k;
  }
  return record(
      {"permute", "x with its axes in another order", {{"g with its axes in order again"}}, true},
      x.view(shape, strides), {x},
      [inverse](const Backward& b) { return std::vector<Gradient>{permute(b.gradient, inverse)}; },
      [order = std::vector(order.begin(), order.end())](const auto& x) {
        return permute(x[0], order);
      },
      [&] {
        std::vector<int64_t> list;
        for (int axis : order) list.push_back(checked_axis("permute", axis, x.shape()));
        return Attributes{{"order", list}};
      });
}

Tensor transpose(const Tensor& x, int a, int b) {
  std::vector<int> order(static_cast<size_t>(x.rank()));
  for (int k = 0; k < x.rank(); ++k) order[static_cast<size_t>(k)] = k;
  std::swap(order[static_cast<size_t>(checked_axis("transpose", a, x.shape()))],
            order[static_cast<size_t>(checked_axis("transpose", b, x.shape()))]);
  return permute(x, order);
}

Tensor slice(const Tensor& x, int axis, int64_t begin, int64_t end, int64_t step) {
  axis = checked_axis("slice", axis, x.shape());
  const int64_t size = x.shape()[axis];
  const int64_t first = begin < 0 ? begin + size : begin, last = end < 0 ? end + size : end;
  if (first < 0 || first > last || last > size || step < 1)
    throw Error(fmt::format("slice: {}:{}:{} is no range of axis {} of {}", begin, end, step, axis,
                            x.description()));
  const int64_t count = (last - first + step - 1) / step;
  if (count == size) return x;
  auto take = [=](const Tensor& from) {
    return from.view(from.shape().with(axis, count),
                     from.strides().with(axis, from.strides()[axis] * step),
                     first * from.strides()[axis]);
  };
  return record(
      {"slice", "a part of x", {{"g in its place, 0 elsewhere"}}, true}, take(x), {x},
      [=](const Backward& b) {
        auto whole = [=, g = b.gradient] {
          const int64_t covered = count == 0 ? 0 : (count - 1) * step + 1;
          return pad(g, axis, first, size - first - covered, 0, step - 1);
        };
        auto add_to = [=, g = b.gradient](Tensor& buffer) { add_into(take(buffer), g); };
        return std::vector<Gradient>{{whole, add_to}};
      },
      [=](const auto& x) { return slice(x[0], axis, first, last, step); },
      [=] {
        return Attributes{{"axis", axis}, {"begin", first}, {"end", last}, {"step", step}};
      });
}

Tensor pad(const Tensor& x, int axis, int64_t before, int64_t after, double value, int64_t gap) {
  axis = checked_axis("pad", axis, x.shape());
  if (before < 0 || after < 0 || gap < 0)
    throw Error(fmt::format("pad: cannot add {} before, {} after and {} between on axis {} of {}",
                            before, after, gap, axis, x.description()));
  const int64_t count = x.shape()[axis], step = gap + 1;
  const int64_t covered = count == 0 ? 0 : (count - 1) * step + 1;
  Tensor result = full(x.shape().with(axis, before + covered + after), value, x.dtype());
  result
      .view(x.shape(), result.strides().with(axis, result.strides()[axis] * step),
            before * result.strides()[axis])
      .assign(x);
  return record(
      {"pad", "x in a larger tensor", {{"the part of g where x is"}}}, result, {x},
      [=](const Backward& b) {
        return std::vector<Gradient>{slice(b.gradient, axis, before, before + covered, step)};
      },
      [=](const auto& x) { return pad(x[0], axis, before, after, value, gap); },
      [=] {
        return Attributes{
            {"axis", axis}, {"before", before}, {"after", after}, {"value", value}, {"gap", gap}};
      });
}

Tensor expand(const Tensor& x, const Shape& shape) {
  if (shape == x.shape()) return x;
  if (broadcast("expand", x.shape(), shape) != shape)
    throw Error(fmt::format("expand: {} does not stretch to {}", x.description(), shape.text()));
  return record(
      {"expand", "x repeated", {{"Σ g over the repetitions"}}, true},
      x.view(shape, broadcast_strides(x.shape(), x.strides(), shape)), {x},
      [](const Backward& b) {  // the engine sums what was stretched
        return std::vector<Gradient>{b.gradient};
      },
      [shape](const auto& x) { return expand(x[0], shape); },
      [&] {
        return Attributes{{"shape", list_of(shape)}};
      });
}

Tensor unsqueeze(const Tensor& x, int axis) {
  const int at = axis < 0 ? axis + x.rank() + 1 : axis;
  if (at < 0 || at > x.rank())
    throw Error(fmt::format("unsqueeze: {} has no place {}", x.description(), axis));
  return reshape(x, x.shape().inserted(at, 1));
}

Tensor squeeze(const Tensor& x, int axis) {
  axis = checked_axis("squeeze", axis, x.shape());
  if (x.shape()[axis] != 1)
    throw Error(fmt::format("squeeze: axis {} of {} is not of size 1", axis, x.description()));
  return reshape(x, x.shape().without(axis));
}

Tensor concat(const std::vector<Tensor>& parts, int axis) {
  if (parts.empty()) throw Error("concat: wants at least one tensor");
  axis = checked_axis("concat", axis, parts[0].shape());
  int64_t total = 0;
  for (const Tensor& part : parts) {
    if (part.rank() != parts[0].rank() || part.dtype() != parts[0].dtype() ||
        part.shape().with(axis, 0) != parts[0].shape().with(axis, 0))
      throw Error(fmt::format("concat: {} {} and {} {} differ elsewhere than on axis {}",
                              name_of(parts[0].dtype()), parts[0].description(),
                              name_of(part.dtype()), part.description(), axis));
    total += part.shape()[axis];
  }
  Tensor result = Tensor::uninitialised(parts[0].shape().with(axis, total), parts[0].dtype());
  int64_t begin = 0;
  for (const Tensor& part : parts) {
    result.view(part.shape(), result.strides(), begin * result.strides()[axis]).assign(part);
    begin += part.shape()[axis];
  }
  return record(
      {"concat", "a, b, … one after the other", {{"its part of g"}}}, result, parts,
      [axis](const Backward& b) {
        std::vector<Gradient> gradients;
        int64_t begin = 0;
        for (size_t i = 0; i < b.size(); ++i) {
          const int64_t end = begin + b.shape(i)[axis];
          gradients.push_back(b.needs(i) ? slice(b.gradient, axis, begin, end) : Tensor());
          begin = end;
        }
        return gradients;
      },
      [axis](const auto& x) { return concat(x, axis); },
      [=] {
        return Attributes{{"axis", axis}};
      });
}

Tensor stack(const std::vector<Tensor>& parts, int axis) {
  std::vector<Tensor> rows;
  for (const Tensor& part : parts) rows.push_back(unsqueeze(part, axis));
  return concat(rows, axis);
}

std::vector<Tensor> split(const Tensor& x, int64_t pieces, int axis) {
  axis = checked_axis("split", axis, x.shape());
  if (pieces < 1 || x.shape()[axis] % pieces != 0)
    throw Error(fmt::format("split: axis {} of {} does not fall into {} equal pieces", axis,
                            x.description(), pieces));
  const int64_t size = x.shape()[axis] / pieces;
  std::vector<Tensor> result;
  for (int64_t i = 0; i < pieces; ++i) result.push_back(slice(x, axis, i * size, (i + 1) * size));
  return result;
}

Tensor contiguous(const Tensor& x) {
  if (x.is_contiguous()) return x;
  Tensor copy = Tensor::uninitialised(x.shape(), x.dtype());
  copy.assign(x);
  return record(
      {"contiguous", "x", {{"g"}}}, copy, {x},
      [](const Backward& b) { return std::vector<Gradient>{b.gradient}; },
      [](const auto& x) { return contiguous(x[0]); });
}

Tensor cast(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  Tensor result = Tensor::uninitialised(x.shape(), dtype);
  dispatch(x.dtype(), [&](auto from) {
    dispatch(dtype, [&](auto to) {
      using To = decltype(to);
      const auto* source = x.data<decltype(from)>();
      To* target = result.mutable_data<To>();
      for_each_row<1>(x.shape(), {x.strides()}, [&](auto at, int64_t n, auto step) {
        for (int64_t i = 0; i < n; ++i) *target++ = static_cast<To>(source[at[0] + i * step[0]]);
      });
    });
  });
  if (dtype == DType::int64)
    return record({"cast to int64", "x"}, result, {x}, nullptr,
                  [](const auto& x) { return cast(x[0], DType::int64); });
  return record(
      {"cast", "x in another dtype", {{"g in the dtype of x"}}}, result, {x},
      [](const Backward& b) { return std::vector<Gradient>{cast(b.gradient, b.dtype(0))}; },
      [dtype](const auto& x) { return cast(x[0], dtype); },
      [=] {
        return Attributes{{"dtype", std::string(name_of(dtype))}};
      });
}

}  // namespace gradus
