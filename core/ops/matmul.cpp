#include "core/ops/matmul.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "core/kernels/packed_matrix.h"
#include "core/kernels/products.h"
#include "core/ops/movement.h"
#include "core/ops/packed_weight.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"
#include "core/tensor/threads.h"

namespace gradus {

namespace {

/// Whether the last two axes are a row-major or transposed matrix that BLAS can take as it is.
bool fits_blas(const Tensor& x, bool transposed) {
  const int r = x.rank();
  const int row = transposed ? r - 1 : r - 2, column = transposed ? r - 2 : r - 1;
  return (x.shape()[column] == 1 || x.strides()[column] == 1) &&
         (x.shape()[row] == 1 || (x.strides()[row] >= std::max<int64_t>(1, x.shape()[column]) &&
                                  x.strides()[row] <= products::largest_size));
}

Tensor made_to_fit(const Tensor& x) {
  return fits_blas(x, false) || fits_blas(x, true) ? x : contiguous(x.detach());
}

template <class T, class Any>
Matrix<T> matrix(Any& x, int64_t offset) {
  const int r = x.rank();
  const int64_t rows = x.shape()[r - 2], columns = x.shape()[r - 1];
  const bool transposed = !fits_blas(x, false);
  const int64_t across = transposed ? rows : columns;
  const int64_t stride =
      (transposed ? columns : rows) == 1 ? 1 : x.strides()[transposed ? r - 1 : r - 2];
  T* data;
  if constexpr (std::is_const_v<T>)
    data = x.template data<std::remove_const_t<T>>();
  else
    data = x.template mutable_data<T>();
  return {data + offset, rows, columns, std::max<int64_t>({1, across, stride}), transposed};
}

/// The axes before the last two.
Shape batches(const Tensor& x) {
  return Shape(std::span(x.shape().begin(), static_cast<size_t>(x.rank() - 2)));
}

/// out = a · b + beta · out; `out` is contiguous, its batches are the broadcast ones.
void multiply_batches(const Tensor& a, const Tensor& b, double beta, Tensor& out) {
  const Tensor x = made_to_fit(a), y = made_to_fit(b);
  const Shape all = batches(out);
  auto batch_strides = [&](const Tensor& t) {
    const size_t n = static_cast<size_t>(t.rank() - 2);
    return broadcast_strides(batches(t), Strides(std::span(t.strides().begin(), n)), all);
  };
  struct Batch {
    int64_t x, y;
  };
  std::vector<Batch> list;
  for_each_row<2>(all, {batch_strides(x), batch_strides(y)}, [&](auto at, int64_t n, auto step) {
    for (int64_t i = 0; i < n; ++i) list.push_back({at[0] + i * step[0], at[1] + i * step[1]});
  });
  const int64_t size = out.shape()[out.rank() - 2] * out.shape()[out.rank() - 1];
  const int64_t work = std::max<int64_t>(1, size * a.shape()[a.rank() - 1]);
  dispatch_float("matmul", out.dtype(), [&](auto element) {
    using T = decltype(element);
    auto one = [&](int64_t i) {
      const Batch& batch = list[static_cast<size_t>(i)];
      const Matrix<const T> a = matrix<const T>(x, batch.x), b = matrix<const T>(y, batch.y);
      const Matrix<T> c = matrix<T>(out, i * size);
      if (work > 1 << 16 || out.rank() == 2 ||
          !products::multiply_vector<T>(a, b, static_cast<T>(beta), c))
        products::multiply<T>(a, b, static_cast<T>(beta), c);
    };
    const int64_t count = static_cast<int64_t>(list.size());
    try {
      if (count == 1) return one(0);
      parallel_for(count, std::max<int64_t>(1, 80'000 / work), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) one(i);
      });
    } catch (const std::length_error& error) {
      throw Error(
          fmt::format("matmul: {} · {}: {}", a.description(), b.description(), error.what()));
    }
  });
}

/// The gradient a · b of `input`, which BLAS may add to what is there, unless batches are still to
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
    throw Error(fmt::format("matmul: wants at least two axes each: {} · {}", a.description(),
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
  multiply_batches(a, b, 0, out);
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

void add_matmul(const Tensor& a, const Tensor& b, Tensor& sum) { multiply_batches(a, b, 1, sum); }

namespace {

/// Whether panels are faster than BLAS for products of so many rows with a weight: where they and
/// the weight fit into the cache, because they need no copy of what is added, or are kept.
bool suits_packing(int64_t rows, const Tensor& weight) {
  return rows >= 4 && weight.shape()[0] >= 64 && weight.shape()[1] >= 64 &&
         (rows <= 128 || weight.numel() <= 1 << 19) && weight.is_contiguous();
}

/// out = start + x · W, or x · Wᵀ; an undefined start is zero.
void multiply_packed(const Tensor& x, const Tensor& weight, bool transposed, const Tensor& start,
                     Tensor& out) {
  auto with_whole_rows = [](const Tensor& t) { return t.strides()[1] == 1 ? t : contiguous(t); };
  const Tensor a = with_whole_rows(x.detach());
  const Tensor first =
      start.defined() ? with_whole_rows(expand(start.detach(), out.shape())) : Tensor();
  dispatch_float("linear", out.dtype(), [&](auto element) {
    using T = decltype(element);
    auto matrix = [](const Tensor& t) {
      return Matrix<const T>{t.data<T>(), t.shape()[0], t.shape()[1], t.strides()[0]};
    };
    packed<T>(weight, transposed)
        ->multiply(matrix(a), first.defined() ? matrix(first) : Matrix<const T>{},
                   {out.mutable_data<T>(), out.shape()[0], out.shape()[1], out.strides()[0]});
  });
}

/// g · W, which panels can add to what is there if they are kept.
Gradient product_with_weight(const Tensor& g, const Tensor& weight, const Tensor& x) {
  if (!keeps_packed(weight) || !suits_packing(g.shape()[0], weight) ||
      is_recording(std::vector{g, weight}))
    return product(g, weight, x);
  return {[=, shape = x.shape()] {
            Tensor out = Tensor::uninitialised(shape, g.dtype());
            multiply_packed(g, weight, false, {}, out);
            return out;
          },
          [=](Tensor& buffer) { multiply_packed(g, weight, false, buffer, buffer); }};
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& b) {
  check_float("linear", x);
  if (x.rank() < 1 || weight.rank() != 2 || x.shape().back() != weight.shape()[1])
    throw Error(fmt::format("linear: wants x (…, in) and a weight (out, in): {} · {}ᵀ",
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
  if (suits_packing(shape[0], weight)) {
    multiply_packed(x, weight, true, b, out);
  } else {
    if (b.defined()) out.assign(expand(b.detach(), shape));
    multiply_batches(x, transpose(weight.detach()), b.defined() ? 1 : 0, out);
  }
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
        if (s.needs(0)) gradients[0] = product_with_weight(s.gradient, s.input(1), s.layout(0));
        if (s.needs(1)) gradients[1] = product(transpose(s.gradient), s.input(0), s.layout(1));
        if (s.size() > 2) gradients[2] = s.gradient;
        return gradients;
      },
      [](const auto& x) { return linear(x[0], x[1], x.size() > 2 ? x[2] : Tensor()); });
}

}  // namespace gradus
