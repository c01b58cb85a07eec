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
  const auto open = std::find(shape.begin(), shape.end(), -1);
  bool is_complete = open == shape.end();
  if (!is_complete) {
    const int axis = static_cast<int>(open - shape.begin());
    const Shape known = shape.without(axis);
    known.check("reshape");
    const int64_t n = known.numel();
    is_complete = n > 0 && x.numel() % n == 0;
    if (is_complete) shape[axis] = x.numel() / n;
  }
  if (is_complete) shape.check("reshape");
  if (!is_complete || shape.numel() != x.numel())
    throw Error(fmt::format("reshape: expected a shape of {} elements for {}, got {}", x.numel(),
                            x.description(), asked.text()));
  if (shape == x.shape()) return x;
  Strides strides;
  if (!viewable(x, shape, strides))
    throw Error(fmt::format(
        "reshape: expected a tensor whose strides fit {}, got a view {}; call contiguous() first",
        shape.text(), x.description()));
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
    throw Error(fmt::format("permute: expected an order of {} axes for {}, got ({})", x.rank(),
                            x.description(), fmt::join(order, ", ")));
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
    throw Error(
        fmt::format("slice: expected 0 ≤ begin ≤ end ≤ {} and step ≥ 1 for axis {} of {}, got "
                    "{}:{}:{}",
                    size, axis, x.description(), begin, end, step));
  const int64_t count = (last - first) / step + ((last - first) % step != 0);
  if (count == size) return x;
  auto take = [=](const Tensor& from) {
    const int64_t stride = from.strides()[axis];
    return from.view(from.shape().with(axis, count),
                     from.strides().with(axis, count > 1 ? stride * step : stride), first * stride);
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
    throw Error(
        fmt::format("pad: expected before, after and gap of at least 0 for axis {} of {}, got {}, "
                    "{} and {}",
                    axis, x.description(), before, after, gap));
  const int64_t count = x.shape()[axis], gaps = std::max<int64_t>(count - 1, 0);
  int64_t covered = 0, size = 0;
  if (__builtin_mul_overflow(gaps, gap, &covered) ||
      __builtin_add_overflow(covered, count, &covered) ||
      __builtin_add_overflow(covered, before, &size) || __builtin_add_overflow(size, after, &size))
    throw Error(
        fmt::format("pad: expected a size below 2⁶³ for axis {} of {}, got {} before, {} "
                    "after and {} between",
                    axis, x.description(), before, after, gap));
  const int64_t step = count > 1 ? gap + 1 : 1;
  Tensor result = full(x.shape().with(axis, size), value, x.dtype());
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
  shape.check("expand");
  if (broadcast("expand", x.shape(), shape) != shape)
    throw Error(fmt::format("expand: expected a shape to which {} broadcasts, got {}",
                            x.description(), shape.text()));
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
    throw Error(fmt::format("unsqueeze: expected an axis in [{}, {}] for {}, got {}", -x.rank() - 1,
                            x.rank(), x.description(), axis));
  return reshape(x, x.shape().inserted(at, 1));
}

Tensor squeeze(const Tensor& x, int axis) {
  axis = checked_axis("squeeze", axis, x.shape());
  if (x.shape()[axis] != 1)
    throw Error(fmt::format("squeeze: expected size 1 on axis {}, got {}", axis, x.description()));
  return reshape(x, x.shape().without(axis));
}

Tensor concat(const std::vector<Tensor>& parts, int axis) {
  if (parts.empty()) throw Error("concat: expected at least one tensor, got none");
  axis = checked_axis("concat", axis, parts[0].shape());
  int64_t total = 0;
  for (const Tensor& part : parts) {
    if (part.rank() != parts[0].rank() || part.dtype() != parts[0].dtype() ||
        part.shape().with(axis, 0) != parts[0].shape().with(axis, 0))
      throw Error(fmt::format("concat: expected {} {} but for the size of axis {}, got {} {}",
                              name_of(parts[0].dtype()), parts[0].description(), axis,
                              name_of(part.dtype()), part.description()));
    if (__builtin_add_overflow(total, part.shape()[axis], &total))
      throw Error(fmt::format("concat: expected a size below 2⁶³ for axis {}, got more", axis));
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
    throw Error(fmt::format("split: expected a size of axis {} that {} divides, got {}", axis,
                            pieces, x.description()));
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
