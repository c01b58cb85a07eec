// Compiled once per instruction set: see core/kernels/instruction_set.h.
#include "layers/attention/tiled_attention.simd.h"

#include "core/kernels/batch.h"
#include "core/kernels/scalar_functions.h"

namespace gradus::simd {
namespace {

/// Sums run over lanes of 128 bytes, whatever the width of a register.
template <class T>
constexpr int64_t lanes = 128 / sizeof(T);
template <class T>
constexpr int lane_batches = static_cast<int>(lanes<T> / width<T>);

/// Calls f(k, i, n) for the batches of n elements from i on, batch k of the lanes.
template <class T, class F>
void for_batches(int64_t n, F f) {
  int64_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>)
#pragma GCC unroll 8
    for (int k = 0; k < lane_batches<T>; ++k) f(k, i + k * width<T>, width<T>);
  for (int k = 0; i < n; ++k, i += width<T>) f(k, i, n - i < width<T> ? n - i : width<T>);
}

template <class T>
Batch<T> load(const T* x, int64_t n, T fill) {
  return n == width<T> ? Batch<T>::load_unaligned(x) : load_first<T>(x, n, fill);
}
template <class T>
void store(const Batch<T>& value, T* x, int64_t n) {
  if (n == width<T>)
    value.store_unaligned(x);
  else
    store_first<T>(value, x, n);
}

/// All lanes joined, the halves first.
template <class T, class Join>
T joined(const Batch<T>* parts, Join join) {
  alignas(64) T all[lanes<T>];
  for (int k = 0; k < lane_batches<T>; ++k) parts[k].store_aligned(all + k * width<T>);
#pragma GCC unroll 8
  for (int64_t half = lanes<T> / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; ++i) all[i] = join(all[i], all[half + i]);
  return all[0];
}

template <class T>
T exponential(T x) {
  return scalar_math::exponential(Batch<T>(x)).get(0);
}

template <class T>
void softmax(T* s, int64_t rows, int64_t columns, T* sums, T* c) {
  using B = Batch<T>;
  for (int64_t row = 0; row < rows; ++row, s += columns, sums += 2) {
    B parts[lane_batches<T>];
    for (B& part : parts) part = B(sums[0]);
    for_batches<T>(columns, [&](int k, int64_t i, int64_t n) {
      parts[k] = Maximum::value(parts[k], load(s + i, n, sums[0]));
    });
    const T m = joined(parts, [](T x, T y) { return x > y || x != x ? x : y; });
    for (B& part : parts) part = B(T(0));
    for_batches<T>(columns, [&](int k, int64_t i, int64_t n) {
      const B p = scalar_math::exponential(load(s + i, n, -T(__builtin_inf())) - B(m));
      store(p, s + i, n);
      parts[k] = parts[k] + p;
    });
    c[row] = exponential(sums[0] - m);
    sums[1] = c[row] * sums[1] + joined(parts, [](T x, T y) { return x + y; });
    sums[0] = m;
  }
}

template <class T>
void softmax_gradient(T* s, T* dp, int64_t rows, int64_t columns, const T* sums, const T* d) {
  using B = Batch<T>;
  for (int64_t row = 0; row < rows; ++row, s += columns, dp += columns, sums += 2) {
    const B m(sums[0]), share(T(1) / sums[1]), of_row(d[row]);
    for_batches<T>(columns, [&](int, int64_t i, int64_t n) {
      const B p = scalar_math::exponential(load(s + i, n, T(0)) - m) * share;
      store(p, s + i, n);
      store(p * (load(dp + i, n, T(0)) - of_row), dp + i, n);
    });
  }
}

constinit const AttentionKernels<float> float32{softmax<float>, softmax_gradient<float>};
constinit const AttentionKernels<double> float64{softmax<double>, softmax_gradient<double>};

}  // namespace

template <>
const AttentionKernels<float>& compiled<AttentionKernels<float>, GRADUS_ISA>() {
  return float32;
}
template <>
const AttentionKernels<double>& compiled<AttentionKernels<double>, GRADUS_ISA>() {
  return float64;
}

}  // namespace gradus::simd
