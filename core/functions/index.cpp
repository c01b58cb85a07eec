#include "core/functions/index.h"

#include <fmt/format.h>

#include <vector>

#include "core/autograd/autograd.h"
#include "core/ops/gather.h"
#include "core/ops/movement.h"
#include "core/tensor/error.h"

namespace gradus {

Index range(std::optional<int64_t> begin, std::optional<int64_t> end, int64_t step) {
  Index result(Index::Kind::range);
  result.begin = begin, result.end = end, result.step = step;
  return result;
}

Tensor Tensor::operator[](int64_t index) const { return (*this)[{Index(index)}]; }

Tensor Tensor::operator[](std::initializer_list<Index> entries) const {
  const Tensor& x = *this;
  using Kind = Index::Kind;
  int taken = 0, ellipses = 0, lists = 0;
  for (const Index& entry : entries) {
    taken += entry.kind != Kind::ellipsis && entry.kind != Kind::new_axis;
    ellipses += entry.kind == Kind::ellipsis;
    lists += entry.kind == Kind::list;
  }
  if (taken > x.rank())
    throw Error(fmt::format("index: expected at most {} entries for {}, got {}", x.rank(),
                            x.description(), taken));
  if (ellipses > 1)
    throw Error(fmt::format("index: expected at most one ellipsis, got {}", ellipses));
  if (lists > 1)
    throw Error(fmt::format("index: expected at most one tensor of indices, got {}", lists));
  // The list is applied last: its axis may turn into several.
  int axis = 0, source = 0, list_axis = 0;  // axes of y and of x
  const Tensor* ids = nullptr;
  Tensor y = x;
  for (const Index& entry : entries) switch (entry.kind) {
      case Kind::number: {
        const int64_t size = y.shape()[axis], number = *entry.begin;
        if (number < -size || number >= size)
          throw Error(fmt::format("index: expected an index in [{}, {}) for axis {} of {}, got {}",
                                  -size, size, source, x.description(), number));
        const int64_t at = number < 0 ? number + size : number;
        y = squeeze(slice(y, axis, at, at + 1), axis);
        ++source;
        break;
      }
      case Kind::range:
        y = slice(y, axis, entry.begin.value_or(0), entry.end.value_or(y.shape()[axis]),
                  entry.step);
        ++axis, ++source;
        break;
      case Kind::all:
        ++axis, ++source;
        break;
      case Kind::ellipsis:
        axis += x.rank() - taken, source += x.rank() - taken;
        break;
      case Kind::new_axis:
        y = unsqueeze(y, axis++);
        break;
      case Kind::list:
        ids = &entry.ids;
        list_axis = axis++, ++source;
        break;
    }
  return ids ? index_select(y, list_axis, *ids) : y;
}

Tensor index_select(const Tensor& x, int axis, const Tensor& ids) {
  axis = checked_axis("index_select", axis, x.shape());
  if (axis == 0) return gather(x, ids);
  std::vector<int> to_front{axis}, back;
  for (int k = 0; k < x.rank(); ++k)
    if (k != axis) to_front.push_back(k);
  for (int k = 0; k < axis; ++k) back.push_back(ids.rank() + k);
  for (int k = 0; k < ids.rank(); ++k) back.push_back(k);
  for (int k = axis + 1; k < x.rank(); ++k) back.push_back(ids.rank() + k - 1);
  return permute(gather(permute(x, to_front), ids), back);
}

namespace {

/// Where the elements that take_along_axis() takes from x stand in a row-major tensor of `shape`,
/// to which x is expanded.
Tensor flat_indices(const Tensor& x, const Shape& shape, const Tensor& indices, int axis) {
  const Shape taken = shape.with(axis, indices.shape()[axis]);
  const Strides strides = contiguous_strides(shape);
  const int64_t size = shape[axis], stride = strides[axis];
  Tensor flat = Tensor::uninitialised(taken, DType::int64);
  int64_t* to = flat.mutable_data<int64_t>();
  const int64_t* ids = indices.data<int64_t>();
  for_each_row<2>(
      taken, {broadcast_strides(indices.shape(), indices.strides(), taken), strides.with(axis, 0)},
      [&](auto at, int64_t n, auto step) {
        for (int64_t i = 0; i < n; ++i) {
          const int64_t id = ids[at[0] + i * step[0]];
          if (id < 0 || id >= size)
            throw Error(fmt::format(
                "take_along_axis: expected indices in [0, {}) for axis {} of {}, got {}", size,
                axis, x.description(), id));
          *to++ = at[1] + i * step[1] + id * stride;
        }
      });
  return record(
      {"flat_indices", "where the index a stands"}, flat, {indices}, nullptr,
      [=](const auto& inputs) { return flat_indices(x, shape, inputs[0], axis); },
      [=] {
        return Attributes{{"axis", axis}, {"shape", std::vector(shape.begin(), shape.end())}};
      });
}

}  // namespace

Tensor take_along_axis(const Tensor& x, const Tensor& indices, int axis) {
  axis = checked_axis("take_along_axis", axis, x.shape());
  if (indices.rank() != x.rank())
    throw Error(fmt::format("take_along_axis: expected indices with {} axes for {}, got {}",
                            x.rank(), x.description(), indices.description()));
  if (indices.dtype() != DType::int64)
    throw Error(fmt::format("take_along_axis: expected int64 indices, got {} {}",
                            name_of(indices.dtype()), indices.description()));
  const int64_t size = x.shape()[axis];
  const Shape shape =
      broadcast("take_along_axis", x.shape().with(axis, 1), indices.shape().with(axis, 1));
  const Tensor from = contiguous(expand(x, shape.with(axis, size)));
  return gather(reshape(from, {-1}), flat_indices(x, from.shape(), indices, axis));
}

Tensor masked_select(const Tensor& x, const Tensor& condition) {
  const Shape shape = broadcast("masked_select", x.shape(), condition.shape());
  const Strides strides = broadcast_strides(condition.shape(), condition.strides(), shape);
  std::vector<int64_t> taken;
  dispatch(condition.dtype(), [&](auto element) {
    const auto* values = condition.data<decltype(element)>();
    int64_t k = 0;
    for_each_row<1>(shape, {strides}, [&](auto at, int64_t n, auto step) {
      for (int64_t i = 0; i < n; ++i, ++k)
        if (values[at[0] + i * step[0]] != 0) taken.push_back(k);
    });
  });
  return gather(reshape(contiguous(expand(x, shape)), {-1}),
                tensor(taken, {static_cast<int64_t>(taken.size())}));
}

Tensor clone(const Tensor& x) {
  Tensor copy = Tensor::uninitialised(x.shape(), x.dtype());
  copy.assign(x);
  return record(
      {"clone", "x", {{"g"}}}, copy, {x},
      [](const Backward& b) { return std::vector<Gradient>{b.gradient}; },
      [](const auto& x) { return clone(x[0]); });
}

}  // namespace gradus
