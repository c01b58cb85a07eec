#pragma once

#include <concepts>
#include <optional>

#include "core/tensor/tensor.h"

/// Indexing: x[2], x[{all, range(1, -1), ellipsis, 3}], and elements by index or by condition.
namespace gradus {

/// One entry of x[{…}]. From the first axis on, a number takes one element and removes the axis, a
/// range takes some, `all` takes every one; axes without an entry stay whole. These are views. A
/// tensor of int64 takes the elements with those numbers, in its own shape, and copies: one of them
/// is allowed. x[{…}] throws Error for too many entries, numbers and ranges outside their axis, and
/// a step below 1.
struct Index {
  enum class Kind { number, range, all, ellipsis, new_axis, list };

  template <std::integral I>
  constexpr Index(I number) : begin(static_cast<int64_t>(number)) {}  // NOLINT: x[{0, all}]
  Index(const Tensor& ids) : kind(Kind::list), ids(ids) {}            // NOLINT: x[{all, ids}]
  explicit Index(Kind kind) : kind(kind) {}

  Kind kind = Kind::number;
  std::optional<int64_t> begin, end;
  int64_t step = 1;
  Tensor ids;
};

/// Every element of an axis: Python's `:`.
inline const Index all{Index::Kind::all};
/// As many `all` as there are axes left: Python's `...`.
inline const Index ellipsis{Index::Kind::ellipsis};
/// A new axis of size 1: Python's `None`.
inline const Index new_axis{Index::Kind::new_axis};
/// Elements begin, begin + step, … before end: Python's `begin:end:step`. Negative numbers count
/// from the back; {} is the axis' own begin or end: range(1, {}) leaves out the first element.
Index range(std::optional<int64_t> begin, std::optional<int64_t> end, int64_t step = 1);

/// The elements with the indices `ids` along one axis, which the shape of `ids` replaces:
/// x (A…, K, B…), ids (I…) → (A…, I…, B…). NumPy's take, PyTorch's index_select. Copies.
/// dL/dx = Σ of g where an element was taken. Throws Error for an index outside [0, K).
Tensor index_select(const Tensor& x, int axis, const Tensor& ids);

/// yᵢⱼₖ = x[i, indicesᵢⱼₖ, k] for the middle axis of three, and so on: both have the same number of
/// axes and broadcast except along `axis`, where y has the size of `indices`. Copies.
/// dL/dx = Σ of g where an element was taken. Throws Error for an index outside the axis.
Tensor take_along_axis(const Tensor& x, const Tensor& indices, int axis);

/// The elements of x where `condition` is not 0, one after the other: (count). The shapes
/// broadcast. Copies. dL/dx = g where an element was taken, 0 elsewhere.
Tensor masked_select(const Tensor& x, const Tensor& condition);

/// A copy in row-major order, which shares nothing with x. dL/dx = g.
Tensor clone(const Tensor& x);

}  // namespace gradus
