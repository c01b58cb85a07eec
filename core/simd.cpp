// Compiled once per instruction set, with GRADUS_ISA naming it: see CMakeLists.txt. Nothing here
// may use the standard library's templates, whose copies the linker would merge across instruction
// sets.
#include "core/simd.h"

#include <limits>
#include <type_traits>
#include <utility>
#include <xsimd/xsimd.hpp>

namespace gradus::simd::GRADUS_ISA {
namespace {

template <class T>
using Batch = xsimd::batch<T, xsimd::default_arch>;
template <class T>
constexpr int64_t width = static_cast<int64_t>(Batch<T>::size);

/// f of one batch of as many of a, b and c as it takes.
template <class F, class T>
auto call(const F& f, const T* a, const T* b, const T* c, int64_t i) {
  using B = Batch<T>;
  auto load = [i](const T* x) { return B::load_unaligned(x + i); };
  if constexpr (std::is_invocable_v<F, B>)
    return f(load(a));
  else if constexpr (std::is_invocable_v<F, B, B>)
    return f(load(a), load(b));
  else
    return f(load(a), load(b), load(c));
}

/// A batch of the last elements of an array, fewer than the width, with `fill` behind them.
template <class T>
struct Rest {
  Rest(const T* x, int64_t n, T fill) {
    for (int64_t i = 0; i < width<T>; ++i) lanes[i] = i < n ? x[i] : fill;
  }
  alignas(64) T lanes[width<T>];
};

/// n is a multiple of the width. Not inlined: there is one copy of the machine code, so that the
/// compiler fuses multiplications with additions in the same places for every element.
template <class F, class T>
[[gnu::noinline]] void map_batches(F f, const T* a, const T* b, const T* c, T* out, int64_t n) {
  for (int64_t i = 0; i < n; i += width<T>) call(f, a, b, c, i).store_unaligned(out + i);
}

/// out[i] = f(a[i], b[i], c[i])
template <class F, class T>
void map(F f, const T* a, const T* b, const T* c, T* out, int64_t n) {
  const int64_t rest = n % width<T>, whole = n - rest;
  if (whole > 0) map_batches(f, a, b, c, out, whole);
  if (rest == 0) return;
  constexpr int arity = std::is_invocable_v<F, Batch<T>>             ? 1
                        : std::is_invocable_v<F, Batch<T>, Batch<T>> ? 2
                                                                     : 3;
  Rest<T> x(a + whole, rest, 1), y(arity > 1 ? b + whole : x.lanes, rest, 1),
      z(arity > 2 ? c + whole : x.lanes, rest, 1);
  map_batches(f, x.lanes, y.lanes, z.lanes, x.lanes, width<T>);
  for (int64_t i = 0; i < rest; ++i) out[whole + i] = x.lanes[i];
}

template <class Row, class T>
void elementwise(const T* a, const T* b, const T* c, T* out, int64_t n) {
  using B = Batch<T>;
  if constexpr (scalar::arity<Row>() == 1)
    map([](B x) { return B(Row::value(x)); }, a, b, c, out, n);
  else if constexpr (scalar::arity<Row>() == 2)
    map([](B x, B y) { return B(Row::value(x, y)); }, a, b, c, out, n);
  else
    map([](B x, B y, B z) { return B(Row::value(x, y, z)); }, a, b, c, out, n);
}

/// Folds the operands four batches at a time by `step(so far, a, b, c)`, and the four by `join`:
/// element i always meets lane i mod (4 · width). `fill`, behind the last element, changes nothing.
template <class T, class Step, class Join>
[[gnu::noinline]] Batch<T> fold(const T* a, const T* b, const T* c, int64_t n, T fill, T neutral,
                                Step step, Join join) {
  using B = Batch<T>;
  constexpr int64_t block = 4 * width<T>;
  B parts[4] = {B(neutral), B(neutral), B(neutral), B(neutral)};
  auto add = [&](const T* x, const T* y, const T* z) {
    for (int64_t k = 0; k < 4; ++k)
      parts[k] =
          call([&](auto... v) -> decltype(step(parts[k], v...)) { return step(parts[k], v...); }, x,
               y, z, k* width<T>);
  };
  int64_t i = 0;
  for (; i + block <= n; i += block) add(a + i, b + i, c + i);
  if (i < n) {
    alignas(64) T last[3][block];
    for (int64_t j = 0; j < block; ++j)
      for (int k = 0; k < 3; ++k)
        last[k][j] = i + j < n ? (k == 0 ? a : k == 1 ? b : c)[i + j] : fill;
    add(last[0], last[1], last[2]);
  }
  return join(join(parts[0], parts[1]), join(parts[2], parts[3]));
}

/// Σ over i of what `step` adds to the sum so far; it adds nothing for zeros.
template <class T, class Step>
T sum_of(const T* a, const T* b, const T* c, int64_t n, Step step) {
  constexpr int64_t block = 4096;  // float32 partial sums stay short; their sum is float64
  double total = 0;
  for (int64_t i = 0; i < n; i += block) {
    alignas(64) T lanes[width<T>];
    fold(a + i, b + i, c + i, n - i < block ? n - i : block, T(0), T(0), step, [](auto x, auto y) {
      return x + y;
    }).store_aligned(lanes);
    for (T lane : lanes) total += lane;
  }
  return static_cast<T>(total);
}

template <class T>
T sum(const T* x, int64_t n) {
  return sum_of(x, x, x, n, [](Batch<T> total, Batch<T> x) { return total + x; });
}

template <class T>
T dot(const T* a, const T* b, int64_t n) {
  return sum_of(a, b, b, n, [](Batch<T> total, Batch<T> x, Batch<T> y) { return x * y + total; });
}

template <class T>
T max(const T* x, int64_t n) {
  auto larger = [](Batch<T> x, Batch<T> y) { return Batch<T>(scalar::Maximum::value(x, y)); };
  constexpr T lowest = -std::numeric_limits<T>::infinity();
  alignas(64) T lanes[width<T>];
  fold(x, x, x, n, lowest, lowest, larger, larger).store_aligned(lanes);
  T result = lanes[0];
  for (T lane : lanes) result = lane > result || lane != lane ? lane : result;
  return result;
}

template <class T>
void add_into(const T* x, T* out, int64_t n) {
  elementwise<scalar::Add, T>(x, out, out, out, n);
}

template <class T>
void exp_shifted(const T* x, T shift, T* out, int64_t n) {
  map([shift](Batch<T> x) { return Batch<T>(scalar::Exp::value(x - Batch<T>(shift))); }, x, x, x,
      out, n);
}

template <class T>
void affine(const T* x, T scale, T offset, T* out, int64_t n) {
  map([=](Batch<T> x) { return Batch<T>(scale) * x + Batch<T>(offset); }, x, x, x, out, n);
}

template <class T>
void add_scaled(const T* x, T scale, T* out, int64_t n) {
  map([=](Batch<T> x, Batch<T> y) { return Batch<T>(scale) * x + y; }, x, out, out, out, n);
}

template <class T>
void multiply_add(const T* a, const T* b, T scale, const T* c, T* out, int64_t n) {
  map([=](Batch<T> x, Batch<T> y, Batch<T> z) { return x * (y * Batch<T>(scale)) + z; }, a, b, c,
      out, n);
}

template <class T, size_t... i>
constexpr Kernels<T> make(std::index_sequence<i...>) {
  return {{elementwise<std::tuple_element_t<i, scalar::Rows>, T>...},
          sum<T>,
          max<T>,
          dot<T>,
          add_into<T>,
          exp_shifted<T>,
          affine<T>,
          add_scaled<T>,
          multiply_add<T>};
}

}  // namespace

// Constant-initialised: no code of this instruction set runs before it is chosen.
extern constinit const Kernels<float> kernels_float32 =
    make<float>(std::make_index_sequence<scalar::row_count>{});
extern constinit const Kernels<double> kernels_float64 =
    make<double>(std::make_index_sequence<scalar::row_count>{});

}  // namespace gradus::simd::GRADUS_ISA
