#include "core/functions/dropout.h"

#include <fmt/format.h>

#include "core/autograd/autograd.h"
#include "core/kernels/simd.h"
#include "core/ops/movement.h"
#include "core/tensor/error.h"
#include "core/tensor/random.h"
#include "core/tensor/threads.h"

namespace gradus {

namespace {

/// The least k for which the number k / 2⁵³ is at least the rate, both rounded to T.
template <class T>
uint64_t least_kept(double rate) {
  uint64_t least = 0, end = uint64_t{1} << 53;
  while (least < end) {
    const uint64_t middle = (least + end) / 2;
    if (static_cast<T>(static_cast<double>(middle) * 0x1p-53) >= static_cast<T>(rate))
      end = middle;
    else
      least = middle + 1;
  }
  return least;
}

/// With the random numbers after a state, which are drawn again for the gradient.
Tensor dropped(const Tensor& given, double rate, uint64_t state) {
  const Tensor x = contiguous(given);
  Tensor y = Tensor::uninitialised(x.shape(), x.dtype());
  dispatch_float("dropout", x.dtype(), [&](auto element) {
    using T = decltype(element);
    const T scale = static_cast<T>(1 / (1 - rate)), *from = x.data<T>();
    T* to = y.mutable_data<T>();
    const uint64_t least = least_kept<T>(rate);
    parallel_for(x.numel(), 16384, [&](int64_t begin, int64_t end) {
      Generator before(state);
      before.skip(static_cast<uint64_t>(begin));
      simd::kernels<T>().drop(from + begin, before.state(), least, scale, to + begin, end - begin);
    });
  });
  return record(
      {"dropout", "x · kept / (1 − rate)", {{"g · kept / (1 − rate)"}}}, y, {x},
      [rate, state](const Backward& b) {
        return std::vector<Gradient>{dropped(b.gradient, rate, state)};
      },
      [rate, state](const auto& x) { return dropped(x[0], rate, state); },
      [rate] {
        return Attributes{{"rate", rate}};
      });
}

}  // namespace

Tensor dropout(const Tensor& x, double rate, Generator* generator) {
  check_float("dropout", x);
  if (!(rate >= 0 && rate < 1))
    throw Error(fmt::format("dropout: expected a rate in [0, 1), got {}", rate));
  if (!generator || rate == 0) return x;
  const uint64_t state = generator->state();
  generator->skip(static_cast<uint64_t>(x.numel()));
  return dropped(x, rate, state);
}

}  // namespace gradus
