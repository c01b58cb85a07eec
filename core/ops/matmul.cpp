#include "core/ops/matmul.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/autograd/fused.h"
#include "core/kernels/products.h"
#include "core/ops/movement.h"
#include "core/ops/packed_weight.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"
#include "core/tensor/threads.h"

namespace gradus {

namespace {

/// The last two axes.
template <class T>
Matrix<T> matrix(T* data, const Tensor& x) {
  const int r = x.rank();
  return {data, x.shape()[r - 2], x.shape()[r - 1], x.strides()[r - 2], x.strides()[r - 1]};
}

/// The axes before the last two.
Shape batches(const Tensor& x) {
  return Shape(std::span(x.shape().begin(), static_cast<size_t>(x.rank() - 2)));
}

/// out = start + a · b. An undefined start is zero; otherwise it has the shape of `out`, and may be
/// it. `out` is contiguous, its batches are the broadcast ones.
void multiply(const Tensor& a, const Tensor& b, const Tensor& start, Tensor& out) {
  const Shape all = batches(out);
  auto batch_strides = [&](const Tensor& t) {
    const size_t n = static_cast<size_t>(t.rank() - 2);
    return broadcast_strides(batches(t), Strides(std::span(t.strides().begin(), n)), all);
  };
  struct Batch {
    int64_t a, b, start;
  };
  std::vector<Batch> list;
  const Tensor& first = start.defined() ? start : out;
  for_each_row<3>(
      all, {batch_strides(a), batch_strides(b), batch_strides(first)},
      [&](auto at, int64_t n, auto step) {
        for (int64_t i = 0; i < n; ++i)
          list.push_back({at[0] + i * step[0], at[1] + i * step[1], at[2] + i * step[2]});
      });
  const int64_t rows = out.shape()[out.rank() - 2], columns = out.shape()[out.rank() - 1];
  dispatch_float("matmul", out.dtype(), [&](auto element) {
    using T = decltype(element);
    const Matrix<const T> x = matrix(a.data<T>(), a), y = matrix(b.data<T>(), b),
                          z = start.defined() ? matrix(start.data<T>(), start) : Matrix<const T>();
    const Matrix<T> c = matrix(out.mutable_data<T>(), out);
    auto multiply_rows = [&](int64_t i, int64_t row, int64_t last_row) {
      auto from = [](auto m, int64_t offset) {
        if (m.data) m.data += offset;
        return m;
      };
      const Batch& at = list[static_cast<size_t>(i)];
      products::multiply<T>(from(x, at.a).part(row, last_row, 0, x.columns), from(y, at.b),
                            from(z, at.start).part(row, last_row, 0, columns),
                            from(c, i * rows * columns).part(row, last_row, 0, columns));
    };
    const int64_t count = static_cast<int64_t>(list.size());
    if (count == 1) return multiply_rows(0, 0, rows);
    const int64_t work_per_row = std::max<int64_t>(1, columns * x.columns);
    parallel_for(count * rows, std::max<int64_t>(1, 80'000 / work_per_row),
                 [&](int64_t begin, int64_t end) {
                   while (begin < end) {
                     const int64_t row = begin % rows, last = std::min(rows, row + end - begin);
                     multiply_rows(begin / rows, row, last);
                     begin += last - row;
                   }
                 });
  });
}

/// The gradient a · b of `input`, which is added to what is there, unless batches are still to
/// be summed. That of a transposed view is transposed, too: so it is contiguous for what was
/// viewed.
Gradient product(const Tensor& a, const Tensor& b, const Tensor& input) {
  const int r = input.rank();
  if (r > 2 && input.strides()[r - 2] == 1 && input.strides()[r - 1] > 1)
    return transpose(matmul(transpose(b), transpose(a)));
  if (broadcast("matmul", batches(a), batches(b)) != batches(input)) return matmul(a, b);
  return {[=] { return matmul(a, b); }, [=](Tensor& buffer) { add_matmul(a, b, buffer); }};
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  check_float("matmul", a);
  if (a.rank() < 2 || b.rank() < 2)
    throw Error(fmt::format("matmul: expected at least two axes each, got {} · {}", a.description(),
                            b.description()));
  const int64_t inner = a.shape()[a.rank() - 1];
  if (inner != b.shape()[b.rank() - 2])
    throw Error(
        fmt::format("matmul: inner sizes differ: {} · {}", a.description(), b.description()));
  if (a.dtype() != b.dtype())
    throw Error(fmt::format("matmul: dtypes differ: {} {} · {} {}", name_of(a.dtype()),
                            a.description(), name_of(b.dtype()), b.description()));
  if (a.rank() > 2 && b.rank() == 2) {  // all batches in one product
    Shape shape = a.shape().with(a.rank() - 1, b.shape()[1]);
    const int64_t rows = a.shape().without(a.rank() - 1).numel();
    return reshape(matmul(reshape(contiguous(a), {rows, inner}), b), shape);
  }
  Shape shape = broadcast("matmul", batches(a), batches(b));
  shape.append(a.shape()[a.rank() - 2]);
  shape.append(b.shape()[b.rank() - 1]);
  Tensor out = Tensor::uninitialised(shape, a.dtype());
  multiply(a, b, {}, out);
  return record(
      {"matmul", "a · b", {{"g · bᵀ", reads("b")}, {"aᵀ · g", reads("a")}}}, out, {a, b},
      [](const Backward& s) {
        std::vector<Gradient> gradients(2);
        if (s.needs(0)) gradients[0] = product(s.gradient, transpose(s.input(1)), s.layout(0));
        if (s.needs(1)) gradients[1] = product(transpose(s.input(0)), s.gradient, s.layout(1));
        return gradients;
      },
      [](const auto& x) { return matmul(x[0], x[1]); });
}

void add_matmul(const Tensor& a, const Tensor& b, Tensor& sum) { multiply(a, b, sum, sum); }

namespace {

/// out = start + x · W, or x · Wᵀ; an undefined start is zero. For few rows the weight is packed:
/// that takes as long as 10 rows, and memory, but is kept with a parameter until that changes.
void multiply_weight(const Tensor& x, const Tensor& weight, bool transposed, const Tensor& start,
                     Tensor& out) {
  if (x.shape()[0] > 128 || !keeps_packed(weight) || products::uses_openblas())
    return multiply(x, transposed ? transpose(weight.detach()) : weight, start, out);
  dispatch_float("linear", out.dtype(), [&](auto element) {
    using T = decltype(element);
    packed<T>(weight, transposed)
        ->multiply(matrix(x.data<T>(), x),
                   start.defined() ? matrix(start.data<T>(), start) : Matrix<const T>(),
                   matrix(out.mutable_data<T>(), out));
  });
}

/// g · W, in the memory of x where nobody needs that any more.
Gradient product_with_weight(const Backward& s) {
  const Tensor &g = s.gradient, &weight = s.input(1);
  if (s.is_recorded()) return product(g, weight, s.layout(0));
  auto put = [=](const Tensor& start, Tensor& out) {
    multiply_weight(g, weight, false, start, out);
  };
  const Tensor room = s.needs(1) ? s.room_for_gradient(0)  // x was kept for the gradient of W
                                 : Tensor::uninitialised(s.shape(0), g.dtype());
  return {[=] {
            Tensor out = room;
            put({}, out);
            return out;
          },
          [=](Tensor& buffer) { put(buffer, buffer); }};
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& b) {
  check_float("linear", x);
  if (x.rank() < 1 || weight.rank() != 2 || x.shape().back() != weight.shape()[1])
    throw Error(fmt::format("linear: expected x (…, in) and a weight (out, in), got {} · {}ᵀ",
                            x.description(), weight.description()));
  for (const Tensor* other : {&weight, &b})
    if (other->defined() && other->dtype() != x.dtype())
      throw Error(fmt::format("linear: dtypes differ: {} {} and {} {}", name_of(x.dtype()),
                              x.description(), name_of(other->dtype()), other->description()));
  const int64_t in = weight.shape()[1], out_size = weight.shape()[0];
  const Shape shape = x.shape().with(x.rank() - 1, out_size);
  if (b.defined() && broadcast("linear", shape, b.shape()) != shape)
    throw Error(
        fmt::format("linear: {} would stretch the result {}", b.description(), shape.text()));
  if (x.rank() != 2) {  // all batches in one product
    const int64_t count = x.shape().without(x.rank() - 1).numel();
    const Tensor rows = reshape(contiguous(x), {count, in});
    if (!b.defined() || b.rank() <= 1) return reshape(linear(rows, weight, b), shape);
    return reshape(linear(rows, weight), shape) + b;
  }
  Tensor out = Tensor::uninitialised(shape, x.dtype());
  const Tensor start = b.defined() ? expand(b.detach(), shape) : Tensor();
  multiply_weight(x, weight, true, start, out);
  std::vector<Tensor> inputs{x, weight};
  if (b.defined()) inputs.push_back(b);
  static constexpr Derivative derivatives[] = {
      {"g · b", reads("b")}, {"gᵀ · a", reads("a")}, {"g"}};
  return record(
      {"linear", b.defined() ? "a · bᵀ + c" : "a · bᵀ",
       std::span(derivatives).first(inputs.size())},
      out, inputs,
      [](const Backward& s) {
        std::vector<Gradient> gradients(s.size());
        if (s.needs(0)) gradients[0] = product_with_weight(s);
        if (s.needs(1)) gradients[1] = product(transpose(s.gradient), s.input(0), s.layout(1));
        if (s.size() > 2) gradients[2] = s.gradient;
        return gradients;
      },
      [](const auto& x) {
        if (!NoFusion::in_force()) return linear(x[0], x[1], x.size() > 2 ? x[2] : Tensor());
        const Tensor product = matmul(x[0], transpose(x[1]));
        return x.size() > 2 ? product + x[2] : product;
      });
}

}  // namespace gradus
