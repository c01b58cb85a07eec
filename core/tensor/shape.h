#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace gradus {

/// The sizes of a tensor's axes (or its strides, or an index for each): at most 8, held in place.
class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes)
      : Shape(std::span<const int64_t>(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const int64_t> sizes);

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return sizes_[axis]; }
  int64_t& operator[](int axis) { return sizes_[axis]; }
  const int64_t* begin() const { return sizes_.data(); }
  const int64_t* end() const { return sizes_.data() + rank_; }
  int64_t back() const { return sizes_[rank_ - 1]; }

  /// The product of all sizes; 1 for a scalar's empty shape.
  int64_t numel() const;
  /// Throws Error in the name of `op` for a negative size, and for 2⁶³ bytes of float64 or more.
  /// The shape of every tensor passes.
  void check(const char* op = "tensor") const;

  Shape with(int axis, int64_t size) const;      ///< one size replaced
  Shape without(int axis) const;                 ///< one axis removed
  Shape inserted(int axis, int64_t size) const;  ///< one axis put in before `axis`
  void append(int64_t size);

  bool operator==(const Shape& other) const;

  /// As people write it: "(64, 256)", "()" for a scalar.
  std::string text() const;

 private:
  std::array<int64_t, max_rank> sizes_{};
  int rank_ = 0;
};

/// Elements (not bytes) to step over to reach the next index of each axis.
using Strides = Shape;

/// Row-major strides: the last axis is adjacent in memory.
Strides contiguous_strides(const Shape& shape);

/// Where an element, counted in row-major order, stands on each axis.
Shape index_of(const Shape& shape, int64_t element);

/// `axis` counted from the front, where negative ones count from the back.
/// Throws Error in the name of `op` when there is no such axis.
int checked_axis(const char* op, int axis, const Shape& shape);

/// Several axes by the rule of checked_axis, sorted; none given means all of them.
/// Throws Error when one is named twice.
std::vector<int> checked_axes(const char* op, std::span<const int> axes, const Shape& shape);

/// The shape that both broadcast to: aligned at the last axis, a size of 1 stretches.
/// Throws Error in the name of `op` when two sizes differ and neither is 1.
Shape broadcast(const char* op, const Shape& a, const Shape& b);

/// Strides that read a tensor of `shape` and `strides` as if it had shape `to`
/// (stride 0 along every stretched axis). `shape` must broadcast to `to`.
Strides broadcast_strides(const Shape& shape, const Strides& strides, const Shape& to);

/// Visits K operands of one shape row by row: `row(offsets, length, steps)` gets each operand's
/// offset of the row's first element and its step within the row. Axes that lie
/// adjacent in all operands are merged first, so that rows are as long as they can be.
template <size_t K, class Row>
void for_each_row(Shape shape, std::array<Strides, K> strides, Row row) {
  int rank = 0;  // merged axes so far
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == 1) continue;
    bool adjacent = rank > 0;
    for (size_t k = 0; k < K && adjacent; ++k)
      adjacent = strides[k][rank - 1] == strides[k][axis] * shape[axis];
    if (adjacent) {
      shape[rank - 1] *= shape[axis];
    } else {
      shape[rank++] = shape[axis];
    }
    for (size_t k = 0; k < K; ++k) strides[k][rank - 1] = strides[k][axis];
  }
  std::array<int64_t, K> offsets{}, steps{};
  if (rank == 0) {
    for (size_t k = 0; k < K; ++k) steps[k] = 1;
    if (shape.numel() > 0) row(offsets, int64_t{1}, steps);
    return;
  }
  for (int axis = 0; axis < rank; ++axis)
    if (shape[axis] == 0) return;
  for (size_t k = 0; k < K; ++k) steps[k] = strides[k][rank - 1];
  std::array<int64_t, Shape::max_rank> index{};
  while (true) {
    row(offsets, shape[rank - 1], steps);
    int axis = rank - 2;
    for (; axis >= 0; --axis) {
      for (size_t k = 0; k < K; ++k) offsets[k] += strides[k][axis];
      if (++index[axis] < shape[axis]) break;
      for (size_t k = 0; k < K; ++k) offsets[k] -= strides[k][axis] * shape[axis];
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

}  // namespace gradus
