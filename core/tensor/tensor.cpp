#include "core/tensor/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "core/kernels/small_blocks.h"
#include "core/tensor/error.h"
#include "core/tensor/overlap.h"
#include "core/tensor/threads.h"

namespace gradus {

namespace {
constexpr int64_t copy_grain = 1 << 15;  // elements for which it is worth to wake another thread
}

const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return "float32";
    case DType::float64:
      return "float64";
    default:
      return "int64";
  }
}

size_t size_of(DType dtype) { return dtype == DType::float32 ? 4 : 8; }

void fail_not_float(const char* op) {
  throw Error(fmt::format("{}: expected float32 or float64, got int64; cast() it first", op));
}

void check_float(const char* op, const Tensor& x) {
  if (!x.is_float())
    throw Error(fmt::format("{}: expected float32 or float64, got int64 {}; cast() it first", op,
                            x.description()));
}

// --- the handle ---------------------------------------------------------------------------------

void Tensor::fail_undefined() { throw Error("tensor: used before it has a value"); }

bool Tensor::is_contiguous() const {
  int64_t step = 1;
  for (int axis = rank() - 1; axis >= 0; --axis) {
    if (shape()[axis] != 1 && strides()[axis] != step) return numel() == 0;
    step *= shape()[axis];
  }
  return true;
}

void Tensor::fail_unreadable(DType wanted) const {
  if (dtype() != wanted)
    throw Error(fmt::format("data: expected a tensor of {}, got {} {}", name_of(wanted),
                            name_of(dtype()), description()));
  throw Error(
      fmt::format("data: only the shape {} was kept of this tensor, because the op that it "
                  "is an input of does not list it among what its derivatives read",
                  description()));
}

void Tensor::check_contiguous() const {
  if (!is_contiguous())
    throw Error(fmt::format("span: {} is a strided view; call contiguous() first", description()));
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  std::vector<T> result;
  try {
    result.reserve(static_cast<size_t>(numel()));
  } catch (const std::exception&) {  // std::bad_alloc, or std::length_error
    throw Error(fmt::format("to_vector: expected enough memory for {}, got none", description()));
  }
  dispatch(dtype(), [&](auto element) {
    const auto* source = data<decltype(element)>();
    for_each_row<1>(shape(), {strides()}, [&](auto offset, int64_t n, auto step) {
      for (int64_t i = 0; i < n; ++i)
        result.push_back(static_cast<T>(source[offset[0] + i * step[0]]));
    });
  });
  return result;
}
template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;
template std::vector<int64_t> Tensor::to_vector() const;

double Tensor::item() const {
  if (numel() != 1) throw Error(fmt::format("item: expected one element, got {}", description()));
  return to_vector<double>()[0];
}

namespace {

/// The bytes from the first to the last element.
template <class T>
std::pair<const T*, const T*> extent(const Tensor& x) {
  const T* first = x.data<T>();
  int64_t last = 0;
  for (int axis = 0; axis < x.rank(); ++axis) last += (x.shape()[axis] - 1) * x.strides()[axis];
  return {first, first + last + 1};
}

template <class T>
bool overlap(const Tensor& a, const Tensor& b) {
  const auto [a_begin, a_end] = extent<T>(a);
  const auto [b_begin, b_end] = extent<T>(b);
  return a_begin < b_end && b_begin < a_end;
}

}  // namespace

void check_writable_view(const char* op, const Tensor& x) {
  if (x.numel() == 0) return;
  for (int axis = 0; axis < x.rank(); ++axis)
    if (x.strides()[axis] == 0 && x.shape()[axis] > 1)
      throw Error(
          fmt::format("{}: cannot write into {}: it is expanded on axis {}, where all "
                      "indices share one element; clone() it first",
                      op, x.description(), axis));
}

Tensor read_before_write(const Tensor& source, const Tensor& target) {
  if (!source.shares_storage(target) || source.numel() == 0 || target.numel() == 0) return source;
  if (source.strides() == target.strides() && source.shape() == target.shape() &&
      dispatch(source.dtype(), [&](auto element) {
        using T = decltype(element);
        return source.data<T>() == target.data<T>();
      }))
    return source;  // each element reads only itself
  const bool overlaps = dispatch(
      source.dtype(), [&](auto element) { return overlap<decltype(element)>(source, target); });
  if (!overlaps) return source;
  Tensor copy = Tensor::uninitialised(source.shape(), source.dtype());
  copy.assign(source);
  return copy;
}

void Tensor::assign(const Tensor& given) {
  if (given.shape() != shape() || given.dtype() != dtype())
    throw Error(fmt::format("assign: expected values of {} {}, got {} {}", name_of(dtype()),
                            description(), name_of(given.dtype()), given.description()));
  check_writable_view("assign", *this);
  const Tensor source = read_before_write(given, *this);
  dispatch(dtype(), [&](auto element) {
    using T = decltype(element);
    T* to = mutable_data<T>();
    const T* from = source.data<T>();
    for_each_row<2>(shape(), {strides(), source.strides()}, [&](auto at, int64_t n, auto step) {
      if (step[0] == 1 && step[1] == 1)
        parallel_for(n, copy_grain, [&](int64_t begin, int64_t end) {
          std::memcpy(to + at[0] + begin, from + at[1] + begin,
                      static_cast<size_t>(end - begin) * sizeof(T));
        });
      else
        for (int64_t i = 0; i < n; ++i) to[at[0] + i * step[0]] = from[at[1] + i * step[1]];
    });
  });
}

std::shared_ptr<Storage> Storage::allocate(size_t bytes) {
  if (bytes > std::numeric_limits<size_t>::max() / 2) throw std::bad_alloc();
  constexpr size_t line = 64;
  auto block = std::allocate_shared_for_overwrite<std::byte[]>(SmallAllocator<std::byte>(),
                                                               bytes + 2 * line - 1);
  const auto address = reinterpret_cast<uintptr_t>(block.get());
  std::byte* first = block.get() + (line - address % line) % line;
  return std::shared_ptr<Storage>(std::move(block), new (first) Storage());
}

Tensor Tensor::uninitialised(const Shape& shape, DType dtype) {
  shape.check();
  const size_t bytes = static_cast<size_t>(shape.numel()) * size_of(dtype);
  Tensor result;
  result.impl_ = std::allocate_shared<Impl>(SmallAllocator<Impl>());
  result.impl_->shape = shape;
  result.impl_->strides = contiguous_strides(shape);
  result.impl_->dtype = dtype;
  try {
    result.impl_->storage = Storage::allocate(bytes);
  } catch (const std::bad_alloc&) {
    throw Error(fmt::format("tensor: expected enough memory for {} of shape {}, {} bytes, got none",
                            name_of(dtype), shape.text(), bytes));
  }
  return result;
}

Tensor Tensor::view(const Shape& shape, const Strides& strides, int64_t offset) const {
  shape.check();
  Tensor result;
  result.impl_ = std::allocate_shared<Impl>(SmallAllocator<Impl>());
  result.impl_->shape = shape;
  result.impl_->strides = strides;
  result.impl_->offset = impl().offset + offset;
  result.impl_->dtype = dtype();
  result.impl_->storage = impl().storage;
  return result;
}

Tensor Tensor::without_values() const {
  Tensor result;
  result.impl_ = std::allocate_shared<Impl>(SmallAllocator<Impl>());
  result.impl_->shape = shape();
  result.impl_->strides = strides();
  result.impl_->dtype = dtype();
  result.impl_->node = node();
  return result;
}

bool Tensor::is_exclusive() const {
  return impl_.use_count() == 1 && impl().storage.use_count() == 1 && is_contiguous();
}

std::string Tensor::description() const {
  if (!defined()) return "an undefined tensor";
  return name().empty() ? shape().text() : fmt::format("{} '{}'", shape().text(), name());
}

// --- printing -----------------------------------------------------------------------------------

namespace {

constexpr int64_t shown_at_each_end = 3, shown_whole = 8;

std::string number_text(double value, DType dtype) {
  return dtype == DType::int64 ? fmt::format("{}", static_cast<int64_t>(value))
                               : fmt::format("{:.4g}", value);
}

/// `at` is the flat index of the first element below this axis.
std::string nested_text(const std::vector<double>& values, const Tensor& x, int axis, int64_t at) {
  if (axis == x.rank()) return number_text(values[static_cast<size_t>(at)], x.dtype());
  const int64_t n = x.shape()[axis], step = contiguous_strides(x.shape())[axis];
  const bool innermost = axis + 1 == x.rank();
  std::string result = "[";
  for (int64_t i = 0; i < n; ++i) {
    if (i > 0) result += innermost ? ", " : ",\n" + std::string(static_cast<size_t>(axis + 1), ' ');
    if (n > shown_whole && i == shown_at_each_end) {
      result += "…";
      i = n - shown_at_each_end - 1;
      continue;
    }
    result += nested_text(values, x, axis + 1, at + i * step);
  }
  return result + "]";
}

}  // namespace

std::string Tensor::text() const {
  if (!defined()) return "undefined";
  return fmt::format("{} {}{}{}", name_of(dtype()), shape().text(), rank() > 1 ? "\n" : " ",
                     nested_text(to_vector<double>(), *this, 0, 0));
}

// --- making tensors -----------------------------------------------------------------------------

namespace {

void flatten(const NestedList& list, int depth, Shape& shape, std::vector<double>& values) {
  if (!list.is_list) {
    if (depth != shape.rank()) throw Error("tensor: numbers and lists stand side by side");
    values.push_back(list.number);
    return;
  }
  if (depth == shape.rank()) {
    if (!values.empty()) throw Error("tensor: numbers and lists stand side by side");
    shape.append(static_cast<int64_t>(list.list.size()));
  } else if (shape[depth] != static_cast<int64_t>(list.list.size())) {
    throw Error(fmt::format("tensor: lists of one level differ in length: {} and {}", shape[depth],
                            list.list.size()));
  }
  for (const NestedList& item : list.list) flatten(item, depth + 1, shape, values);
}

}  // namespace

Tensor tensor(const NestedList& list, DType dtype) {
  Shape shape;
  std::vector<double> values;
  flatten(list, 0, shape, values);
  Tensor result = Tensor::uninitialised(shape, dtype);
  dispatch(dtype, [&](auto element) {
    using T = decltype(element);
    std::transform(values.begin(), values.end(), result.mutable_data<T>(),
                   [](double value) { return static_cast<T>(value); });
  });
  return result;
}

template <class T>
Tensor tensor(std::span<const T> values, const Shape& shape) {
  if (static_cast<int64_t>(values.size()) != shape.numel())
    throw Error(fmt::format("tensor: expected {} values for shape {}, got {}", shape.numel(),
                            shape.text(), values.size()));
  Tensor result = Tensor::uninitialised(shape, dtype_of<T>());
  std::copy(values.begin(), values.end(), result.mutable_data<T>());
  return result;
}
template Tensor tensor(std::span<const float>, const Shape&);
template Tensor tensor(std::span<const double>, const Shape&);
template Tensor tensor(std::span<const int64_t>, const Shape&);

Tensor full(const Shape& shape, double value, DType dtype) {
  Tensor result = Tensor::uninitialised(shape, dtype);
  dispatch(dtype, [&](auto element) {
    using T = decltype(element);
    parallel_for(result.numel(), copy_grain,
                 [to = result.mutable_data<T>(), element = static_cast<T>(value)](
                     int64_t begin, int64_t end) { std::fill(to + begin, to + end, element); });
  });
  return result;
}

Tensor zeros(const Shape& shape, DType dtype) { return full(shape, 0, dtype); }
Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }
Tensor zeros_like(const Tensor& x) { return zeros(x.shape(), x.dtype()); }
Tensor ones_like(const Tensor& x) { return ones(x.shape(), x.dtype()); }

Tensor arange(int64_t n, DType dtype) {
  Tensor result = Tensor::uninitialised({n}, dtype);
  dispatch(dtype, [&](auto element) {
    using T = decltype(element);
    T* values = result.mutable_data<T>();
    for (int64_t i = 0; i < n; ++i) values[i] = static_cast<T>(i);
  });
  return result;
}

}  // namespace gradus
