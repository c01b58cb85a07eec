#include "core/tensor/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/tensor/error.h"

namespace gradus {

Shape::Shape(std::span<const int64_t> sizes) {
  for (int64_t size : sizes) append(size);
}

void Shape::append(int64_t size) {
  if (rank_ == max_rank) throw Error(fmt::format("shape: a tensor has at most {} axes", max_rank));
  sizes_[rank_++] = size;
}

int64_t Shape::numel() const {
  int64_t n = 1;
  for (int64_t size : *this) n *= size;
  return n;
}

void Shape::check(const char* op) const {
  int64_t bytes = sizeof(double);
  for (int64_t size : *this) {
    if (size < 0) throw Error(fmt::format("{}: expected sizes of at least 0, got {}", op, text()));
    // A size of 0 counts as 1: strides are products of the others.
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes))
      throw Error(fmt::format("{}: expected fewer than 2⁶³ bytes, got shape {}", op, text()));
  }
}

Shape Shape::with(int axis, int64_t size) const {
  Shape result = *this;
  result[axis] = size;
  return result;
}

Shape Shape::without(int axis) const {
  Shape result;
  for (int i = 0; i < rank_; ++i)
    if (i != axis) result.append(sizes_[i]);
  return result;
}

Shape Shape::inserted(int axis, int64_t size) const {
  Shape result;
  for (int i = 0; i <= rank_; ++i) {
    if (i == axis) result.append(size);
    if (i < rank_) result.append(sizes_[i]);
  }
  return result;
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

std::string Shape::text() const { return fmt::format("({})", fmt::join(begin(), end(), ", ")); }

Strides contiguous_strides(const Shape& shape) {
  Strides strides = shape;
  int64_t step = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[axis] = step;
    step *= std::max<int64_t>(shape[axis], 1);
  }
  return strides;
}

Shape index_of(const Shape& shape, int64_t element) {
  Shape index = shape;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    index[axis] = element % shape[axis];
    element /= shape[axis];
  }
  return index;
}

int checked_axis(const char* op, int axis, const Shape& shape) {
  const int rank = shape.rank();
  if (axis < -rank || axis >= rank)
    throw Error(fmt::format("{}: there is no axis {} in shape {}", op, axis, shape.text()));
  return axis < 0 ? axis + rank : axis;
}

std::vector<int> checked_axes(const char* op, std::span<const int> axes, const Shape& shape) {
  std::vector<int> result;
  if (axes.empty())
    for (int axis = 0; axis < shape.rank(); ++axis) result.push_back(axis);
  for (int axis : axes) result.push_back(checked_axis(op, axis, shape));
  std::sort(result.begin(), result.end());
  if (std::adjacent_find(result.begin(), result.end()) != result.end())
    throw Error(fmt::format("{}: an axis is named twice in {} of shape {}", op,
                            fmt::join(axes, ", "), shape.text()));
  return result;
}

Shape broadcast(const char* op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape result = longer;
  const int shift = longer.rank() - shorter.rank();
  for (int axis = shift; axis < longer.rank(); ++axis) {
    const int64_t x = longer[axis], y = shorter[axis - shift];
    if (x != y && x != 1 && y != 1)
      throw Error(fmt::format("{}: shapes {} and {} do not broadcast: sizes {} and {} differ", op,
                              a.text(), b.text(), a.rank() >= b.rank() ? x : y,
                              a.rank() >= b.rank() ? y : x));
    result[axis] = x == 1 ? y : x;
  }
  return result;
}

Strides broadcast_strides(const Shape& shape, const Strides& strides, const Shape& to) {
  Strides result = to;
  const int shift = to.rank() - shape.rank();
  for (int axis = 0; axis < to.rank(); ++axis) {
    const bool stretched = axis < shift || (shape[axis - shift] == 1 && to[axis] != 1);
    result[axis] = stretched ? 0 : strides[axis - shift];
  }
  return result;
}

}  // namespace gradus
