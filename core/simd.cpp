// Compiled once per instruction set, with GRADUS_ISA naming it: see CMakeLists.txt. Nothing here
// may use the standard library's templates, whose copies the linker would merge across instruction
// sets.
#include "core/simd.h"

#include <limits>
#include <utility>
#include <xsimd/xsimd.hpp>

namespace gradus::simd::GRADUS_ISA {
namespace {

template <class T>
using Batch = xsimd::batch<T, xsimd::default_arch>;
template <class T>
constexpr int64_t width = static_cast<int64_t>(Batch<T>::size);

/// The last elements of an array, fewer than a batch, with `fill` behind them.
template <class T>
Batch<T> load_some(const T* x, int64_t n, T fill) {
  alignas(64) T lanes[width<T>];
  for (int64_t i = 0; i < width<T>; ++i) lanes[i] = i < n ? x[i] : fill;
  return Batch<T>::load_aligned(lanes);
}

/// n is a multiple of the width. Not inlined: there is one copy of the machine code, so that the
/// compiler fuses multiplications with additions in the same places for every element.
template <class Row, class T>
[[gnu::noinline]] void whole_batches(const T* a, const T* b, const T* c, T* out, int64_t n) {
  using B = Batch<T>;
  for (int64_t i = 0; i < n; i += width<T>) {
    B value;
    if constexpr (scalar::arity<Row>() == 1)
      value = Row::value(B::load_unaligned(a + i));
    else if constexpr (scalar::arity<Row>() == 2)
      value = Row::value(B::load_unaligned(a + i), B::load_unaligned(b + i));
    else
      value = Row::value(B::load_unaligned(a + i), B::load_unaligned(b + i),
                         B::load_unaligned(c + i));
    value.store_unaligned(out + i);
  }
}

template <class Row, class T>
void elementwise(const T* a, const T* b, const T* c, T* out, int64_t n) {
  const int64_t rest = n % width<T>, whole = n - rest;
  whole_batches<Row>(a, b, c, out, whole);
  if (rest == 0) return;
  alignas(64) T last[3][width<T>];
  const T* operands[3] = {a, b, c};
  for (int k = 0; k < scalar::arity<Row>(); ++k)
    for (int64_t i = 0; i < width<T>; ++i) last[k][i] = i < rest ? operands[k][whole + i] : T(1);
  whole_batches<Row>(last[0], last[1], last[2], last[0], width<T>);
  for (int64_t i = 0; i < rest; ++i) out[whole + i] = last[0][i];
}

/// Folds an array four batches at a time: element i always meets lane i mod (4 · width).
template <class T, class Step>
Batch<T> fold(const T* x, int64_t n, T neutral, Step step) {
  using B = Batch<T>;
  B parts[4] = {B(neutral), B(neutral), B(neutral), B(neutral)};
  int64_t i = 0;
  for (; i + 4 * width<T> <= n; i += 4 * width<T>)
    for (int64_t k = 0; k < 4; ++k)
      parts[k] = step(parts[k], B::load_unaligned(x + i + k * width<T>));
  for (int64_t k = 0; i < n; ++k, i += width<T>)
    parts[k] = step(
        parts[k], n - i >= width<T> ? B::load_unaligned(x + i) : load_some(x + i, n - i, neutral));
  return step(step(parts[0], parts[1]), step(parts[2], parts[3]));
}

template <class T>
T sum(const T* x, int64_t n) {
  constexpr int64_t block = 4096;  // float32 partial sums stay short; their sum is float64
  double total = 0;
  for (int64_t i = 0; i < n; i += block) {
    alignas(64) T lanes[width<T>];
    fold(x + i, n - i < block ? n - i : block, T(0), [](auto a, auto b) {
      return a + b;
    }).store_aligned(lanes);
    for (T lane : lanes) total += lane;
  }
  return static_cast<T>(total);
}

template <class T>
T max(const T* x, int64_t n) {
  auto larger = [](auto a, auto b) { return scalar::Maximum::value(a, b); };
  alignas(64) T lanes[width<T>];
  fold(x, n, -std::numeric_limits<T>::infinity(), larger).store_aligned(lanes);
  T result = lanes[0];
  for (T lane : lanes) result = lane > result || lane != lane ? lane : result;
  return result;
}

template <class T>
void add_into(const T* x, T* out, int64_t n) {
  elementwise<scalar::Add, T>(x, out, out, out, n);
}

template <class T, size_t... i>
constexpr Kernels<T> make(std::index_sequence<i...>) {
  return {{elementwise<std::tuple_element_t<i, scalar::Rows>, T>...}, sum<T>, max<T>, add_into<T>};
}

}  // namespace

// Constant-initialised: no code of this instruction set runs before it is chosen.
extern constinit const Kernels<float> kernels_float32 =
    make<float>(std::make_index_sequence<scalar::row_count>{});
extern constinit const Kernels<double> kernels_float64 =
    make<double>(std::make_index_sequence<scalar::row_count>{});

}  // namespace gradus::simd::GRADUS_ISA
