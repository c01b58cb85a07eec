#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/tensor/shape.h"
#include "core/tensor/storage.h"

namespace gradus {

/// float32 for work, float64 for checking, int64 for indices.
enum class DType : uint8_t { float32, float64, int64 };

const char* name_of(DType dtype);
size_t size_of(DType dtype);

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::float32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::float64;
}
template <>
constexpr DType dtype_of<int64_t>() {
  return DType::int64;
}

struct Index;  // an entry of x[{…}], see core/functions/index.h
struct Node;   // a recorded op, see core/autograd/autograd.h

/// An n-dimensional array: a shape and strides over shared storage, and, where it was computed
/// from tensors that require a gradient, the node of the op that computed it.
///
/// A Tensor is a handle: copies refer to the same array. Views (reshape, permute, slice, expand)
/// share storage; nothing is copied unless an op's docstring says so.
class Tensor {
 public:
  Tensor() = default;  ///< no tensor at all; defined() is false

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const { return impl().shape; }
  const Strides& strides() const { return impl().strides; }
  DType dtype() const { return impl().dtype; }
  int rank() const { return shape().rank(); }
  int64_t numel() const { return shape().numel(); }
  int64_t size(int axis) const { return shape()[checked_axis("size", axis, shape())]; }
  bool is_contiguous() const;
  bool is_float() const { return dtype() != DType::int64; }

  /// The first element, to read. Elements lie strides() apart. Throws Error when T is not the
  /// dtype, and where only shape and dtype are left of what a finished forward pass let go.
  template <class T>
  const T* data() const {
    check_readable(dtype_of<T>());
    return reinterpret_cast<const T*>(impl_->storage->data()) + impl_->offset;
  }
  /// The first element, to write: raises the version of the storage, so that a backward pass that
  /// needs the values before fails instead of reading the new ones, and ops that have kept
  /// something about them make it again. Ask for it anew after each use of the tensor by an op.
  template <class T>
  T* mutable_data() {
    check_writable(dtype_of<T>());
    return reinterpret_cast<T*>(impl_->storage->data()) + impl_->offset;
  }
  /// All elements of a contiguous tensor. Throws Error for a strided view.
  template <class T>
  std::span<const T> span() const {
    check_contiguous();
    return {data<T>(), static_cast<size_t>(numel())};
  }
  template <class T>
  std::span<T> mutable_span() {
    check_contiguous();
    return {mutable_data<T>(), static_cast<size_t>(numel())};
  }
  /// A copy of all elements in row-major order, converted to T.
  template <class T>
  std::vector<T> to_vector() const;
  /// The only element, as a number. Throws Error when there is not exactly one.
  double item() const;
  /// Overwrites the values with those of `source` (same shape and dtype), which may overlap; not
  /// recorded. Throws Error for an expanded view, where one element would take several values.
  void assign(const Tensor& source);
  /// x[i], and x[{all, range(1, -1), ellipsis, 3}]: see core/functions/index.h.
  Tensor operator[](int64_t index) const;
  Tensor operator[](std::initializer_list<Index> entries) const;
  /// Values with their shape, rows on lines, long axes shortened.
  std::string text() const;

  // --- differentiation, see core/autograd/autograd.h ------------------------------------------
  bool requires_grad() const { return impl_ && impl_->node; }
  /// Makes this tensor a leaf whose gradient backward() keeps in grad(). Returns itself.
  /// Throws Error for integers and for results of recorded ops.
  const Tensor& require_grad() const;
  /// The accumulated gradient of a leaf; undefined before the first backward().
  const Tensor& grad() const;
  void set_grad(Tensor gradient) const;
  void clear_grad() const { set_grad({}); }
  /// The same values, cut off from the recorded computation.
  Tensor detach() const;
  /// Adds d(this)/d(leaf) to the grad() of every leaf that this tensor was computed from.
  /// A tensor of more than one element needs the `gradient` flowing into it (same shape).
  /// The recorded nodes are released on the way unless `retain_graph`.
  /// Throws Error when nothing requires a gradient, the graph was released, or an op on the way
  /// has no derivative.
  void backward(const Tensor& gradient = {}, bool retain_graph = false) const;
  /// Calls `hook` with the gradient of this tensor whenever a backward pass has it complete;
  /// a defined result replaces it. Throws Error for an empty function.
  void on_gradient(std::function<Tensor(const Tensor&)> hook) const;

  /// The name under which errors and files know this tensor; empty when it has none.
  const std::string& name() const;
  /// Only leaves have names: see require_grad().
  void set_name(std::string name) const;

  // --- for ops ----------------------------------------------------------------------------------
  struct Impl {
    Shape shape;
    Strides strides;
    int64_t offset = 0;
    DType dtype = DType::float32;
    std::shared_ptr<Storage> storage;  ///< none where only shape and dtype are known
    std::shared_ptr<Node> node;
  };
  /// A contiguous tensor whose values are still to be written.
  static Tensor uninitialised(const Shape& shape, DType dtype);
  /// Another look at the same storage, `offset` elements from this tensor's first; not recorded.
  Tensor view(const Shape& shape, const Strides& strides, int64_t offset = 0) const;
  /// Shape, dtype and history of this tensor, without the memory that holds its values.
  Tensor without_values() const;
  bool has_values() const { return impl().storage != nullptr; }
  const std::shared_ptr<Storage>& storage() const { return impl().storage; }
  /// Whether nobody else can see the values: no other handle, no view, no expanded axis.
  bool is_exclusive() const;
  /// Whether both may refer to one storage.
  bool shares_storage(const Tensor& other) const { return impl().storage == other.impl().storage; }
  uint32_t version() const { return impl().storage ? impl().storage->version() : 0; }
  bool is_same_as(const Tensor& other) const { return impl_ == other.impl_; }
  const std::shared_ptr<Node>& node() const { return impl().node; }
  void set_node(std::shared_ptr<Node> node) const;
  /// Shape, dtype where it is unusual, and name: how errors speak of a tensor.
  std::string description() const;

 private:
  Impl& impl() const {
    if (!impl_) fail_undefined();
    return *impl_;
  }
  [[noreturn]] static void fail_undefined();
  void check_readable(DType wanted) const {
    if (!impl_ || impl_->dtype != wanted || !impl_->storage) fail_unreadable(wanted);
  }
  void check_writable(DType wanted) {
    check_readable(wanted);
    impl_->storage->raise_version();
  }
  [[noreturn]] void fail_unreadable(DType wanted) const;
  void check_contiguous() const;

  std::shared_ptr<Impl> impl_;
};

// --- making tensors ---------------------------------------------------------------------------

/// Numbers in nested braces, {{1, 2, 3}, {4, 5, 6}}: the shape is read off the nesting.
struct NestedList {
  NestedList(double number) : number(number) {}  // NOLINT: braces of numbers should just work
  NestedList(std::initializer_list<NestedList> list) : list(list), is_list(true) {}
  double number = 0;
  std::vector<NestedList> list;
  bool is_list = false;
};

/// Throws Error when lists of one level differ in length.
Tensor tensor(const NestedList& values, DType dtype = DType::float32);
/// A copy of `values` in row-major order. Throws Error when their count is not shape.numel().
template <class T>
Tensor tensor(std::span<const T> values, const Shape& shape);
template <class T>
Tensor tensor(const std::vector<T>& values, const Shape& shape) {
  return tensor(std::span<const T>(values), shape);
}
Tensor full(const Shape& shape, double value, DType dtype = DType::float32);
Tensor zeros(const Shape& shape, DType dtype = DType::float32);
Tensor ones(const Shape& shape, DType dtype = DType::float32);
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);
/// 0, 1, …, n − 1.
Tensor arange(int64_t n, DType dtype = DType::float32);

/// Throws Error in the name of `op` when x holds integers.
void check_float(const char* op, const Tensor& x);

/// Calls `f` with a value of the C++ type of `dtype`: dispatch(d, [&](auto t) { using T =
/// decltype(t); … }).
template <class F>
auto dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::float32:
      return f(float{});
    case DType::float64:
      return f(double{});
    default:
      return f(int64_t{});
  }
}
/// The same for the two float types; integers throw Error in the name of `op`.
[[noreturn]] void fail_not_float(const char* op);
template <class F>
auto dispatch_float(const char* op, DType dtype, F&& f) {
  if (dtype == DType::int64) fail_not_float(op);
  return dtype == DType::float32 ? f(float{}) : f(double{});
}

}  // namespace gradus
