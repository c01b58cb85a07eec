#include "core/autograd/accumulate.h"

#include <fmt/format.h>

#include <vector>

#include "core/kernels/simd.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/tensor/overlap.h"
#include "core/tensor/threads.h"

namespace gradus {

void add_into(Tensor& out, const Tensor& given) {
  if (out.shape() != given.shape() || out.dtype() != given.dtype())
    throw Error(fmt::format("add_into: expected {} {}, got {} {}", name_of(out.dtype()),
                            out.description(), name_of(given.dtype()), given.description()));
  check_writable_view("add_into", out);
  const Tensor x = read_before_write(given, out);
  dispatch_float("add_into", out.dtype(), [&](auto element) {
    using T = decltype(element);
    T* to = out.mutable_data<T>();
    const T* from = x.data<T>();
    const auto add = simd::kernels<T>().add_into;
    for_each_row<2>(out.shape(), {out.strides(), x.strides()}, [&](auto at, int64_t n, auto step) {
      if (step[0] == 1 && step[1] == 1)
        parallel_for(n, 1 << 15, [&](int64_t begin, int64_t end) {
          add(from + at[1] + begin, to + at[0] + begin, end - begin);
        });
      else
        for (int64_t i = 0; i < n; ++i) to[at[0] + i * step[0]] += from[at[1] + i * step[1]];
    });
  });
}

Tensor sum_of(const Tensor& a, const Tensor& b) { return a + b; }

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const int shift = x.rank() - shape.rank();
  std::vector<int> axes;
  for (int axis = 0; axis < x.rank(); ++axis)
    if (axis < shift || (shape[axis - shift] == 1 && x.shape()[axis] != 1)) axes.push_back(axis);
  return reshape(sum(x, axes, keepdims), shape);
}

}  // namespace gradus
