#include "core/tensor/random.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "core/kernels/split_mix.h"
#include "core/tensor/error.h"

namespace gradus {

uint64_t Generator::next() {
  uint64_t z = state_ += split_mix::increment;
  return split_mix::mix(z);
}

void Generator::skip(uint64_t n) { state_ += n * split_mix::increment; }
double Generator::uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

int64_t Generator::below(int64_t n) {
  if (n < 1) throw Error(fmt::format("random: expected a range of at least 1, got {}", n));
  const uint64_t range = static_cast<uint64_t>(n);
  const uint64_t limit =
      UINT64_MAX - UINT64_MAX % range;  // above it some results would be likelier
  uint64_t x = next();
  while (x >= limit) x = next();
  return static_cast<int64_t>(x % range);
}

double Generator::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

std::vector<int64_t> Generator::permutation(int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = n - 1; i > 0; --i)
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(below(i + 1))]);
  return order;
}

namespace {
template <class Draw>
Tensor filled(const char* op, const Shape& shape, DType dtype, Draw draw) {
  Tensor result = Tensor::uninitialised(shape, dtype);
  dispatch_float(op, dtype, [&](auto element) {
    using T = decltype(element);
    for (T& x : result.mutable_span<T>()) x = static_cast<T>(draw(T{}));
  });
  return result;
}
}  // namespace

Tensor random_uniform(const Shape& shape, double low, double high, Generator& generator,
                      DType dtype) {
  return filled("random_uniform", shape, dtype, [&](auto element) {
    using T = decltype(element);  // a number just below `high` may round up to it
    return std::min(static_cast<T>(low + (high - low) * generator.uniform()),
                    std::nextafter(static_cast<T>(high), static_cast<T>(low)));
  });
}

Tensor random_normal(const Shape& shape, double mean, double deviation, Generator& generator,
                     DType dtype) {
  return filled("random_normal", shape, dtype,
                [&](auto) { return mean + deviation * generator.normal(); });
}

}  // namespace gradus
