#include "core/ops/gather.h"

#include <fmt/format.h>

#include <cstring>

#include "core/kernels/simd.h"
#include "core/ops/movement.h"
#include "core/tensor/error.h"

namespace gradus {

namespace {

void check_ids(const char* op, const Tensor& ids, int64_t rows) {
  if (ids.dtype() != DType::int64)
    throw Error(fmt::format("{}: wants int64 indices, was given {} {}", op, name_of(ids.dtype()),
                            ids.description()));
  for (int64_t id : ids.to_vector<int64_t>())
    if (id < 0 || id >= rows)
      throw Error(fmt::format("{}: index {} is outside [0, {})", op, id, rows));
}

void add_rows(Tensor& out, const Tensor& ids, const Tensor& source) {
  const Tensor from = contiguous(source);
  const int64_t size = out.numel() / std::max<int64_t>(out.shape()[0], 1);
  dispatch_float("scatter_add", out.dtype(), [&](auto element) {
    using T = decltype(element);
    const T* row = from.data<T>();
    T* to = out.mutable_data<T>();
    for (int64_t id : ids.to_vector<int64_t>()) {
      simd::kernels<T>().add_into(row, to + id * size, size);
      row += size;
    }
  });
}

}  // namespace

Tensor gather(const Tensor& table, const Tensor& ids) {
  if (table.rank() < 1) throw Error("gather: wants a table of at least one axis");
  check_ids("gather", ids, table.shape()[0]);
  const Tensor rows = contiguous(table.detach());
  Shape shape = ids.shape();
  for (int axis = 1; axis < table.rank(); ++axis) shape.append(table.shape()[axis]);
  Tensor result = Tensor::uninitialised(shape, table.dtype());
  const int64_t size = table.numel() / std::max<int64_t>(table.shape()[0], 1);
  dispatch(table.dtype(), [&](auto element) {
    using T = decltype(element);
    T* to = result.mutable_data<T>();
    for (int64_t id : ids.to_vector<int64_t>()) {
      std::memcpy(to, rows.data<T>() + id * size, static_cast<size_t>(size) * sizeof(T));
      to += size;
    }
  });
  return record(
      {"gather", "the rows of a at the indices b", {{"Σ g in the rows b", reads("b")}, {}}}, result,
      {table, ids},
      [](const Backward& b) {
        const Tensor g = b.gradient, ids = b.input(1);
        return std::vector<Gradient>{{[=, n = b.shape(0)[0]] { return scatter_add(n, ids, g); },
                                      [=](Tensor& buffer) { add_rows(buffer, ids, g); }},
                                     {}};
      },
      [](const auto& x) { return gather(x[0], x[1]); });
}

Tensor scatter_add(int64_t rows, const Tensor& ids, const Tensor& source) {
  check_ids("scatter_add", ids, rows);
  const int axes = ids.rank();
  if (source.rank() < axes ||
      Shape(std::span(source.shape().begin(), static_cast<size_t>(axes))) != ids.shape())
    throw Error(fmt::format("scatter_add: rows {} do not match indices {}", source.description(),
                            ids.description()));
  Shape shape{rows};
  for (int axis = axes; axis < source.rank(); ++axis) shape.append(source.shape()[axis]);
  Tensor result = zeros(shape, source.dtype());
  add_rows(result, ids, source.detach());
  return record(
      {"scatter_add", "Σ a in the rows b", {{"the rows of g at the indices b", reads("b")}, {}}},
      result, {source, ids},
      [](const Backward& b) {
        return std::vector<Gradient>{gather(b.gradient, b.input(1)), {}};
      },
      [rows](const auto& x) { return scatter_add(rows, x[1], x[0]); },
      [=] {
        return Attributes{{"rows", rows}};
      });
}

Tensor one_hot(const Tensor& ids, int64_t classes, DType dtype) {
  check_ids("one_hot", ids, classes);
  Shape shape = ids.shape();
  shape.append(classes);
  Tensor result = zeros(shape, dtype);
  dispatch(dtype, [&](auto element) {
    auto* row = result.mutable_data<decltype(element)>();
    for (int64_t id : ids.to_vector<int64_t>()) {
      row[id] = 1;
      row += classes;
    }
  });
  return result;
}

}  // namespace gradus
