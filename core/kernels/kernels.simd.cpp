// Compiled once per instruction set: see core/kernels/instruction_set.h.
#include "core/kernels/batch.h"
#include "core/kernels/simd.h"

namespace gradus::simd {
namespace {

template <class Row, class T>
void elementwise(const T* a, const T* b, const T* c, T* out, int64_t n) {
  using B = Batch<T>;
  const Outputs<T, 1> outputs{{out}};
  if constexpr (Row::arity == 1)
    map([](const B* x, B* y) { y[0] = B(Row::value(x[0])); }, Inputs<T, 1>{{a}}, outputs, n);
  else if constexpr (Row::arity == 2)
    map([](const B* x, B* y) { y[0] = B(Row::value(x[0], x[1])); }, Inputs<T, 2>{{a, b}}, outputs,
        n);
  else
    map([](const B* x, B* y) { y[0] = B(Row::value(x[0], x[1], x[2])); }, Inputs<T, 3>{{a, b, c}},
        outputs, n);
}

/// f of one batch of as many of a, b and c as it takes.
template <class F, class T>
auto call(const F& f, const T* a, const T* b, const T* c, int64_t i) {
  using B = Batch<T>;
  auto load = [i](const T* x) { return B::load_unaligned(x + i); };
  if constexpr (requires(B x) { f(x); })
    return f(load(a));
  else if constexpr (requires(B x) { f(x, x); })
    return f(load(a), load(b));
  else
    return f(load(a), load(b), load(c));
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
  auto larger = [](Batch<T> x, Batch<T> y) { return Batch<T>(Maximum::value(x, y)); };
  constexpr T lowest = -T(__builtin_inf());
  alignas(64) T lanes[width<T>];
  fold(x, x, x, n, lowest, lowest, larger, larger).store_aligned(lanes);
  T result = lanes[0];
  for (T lane : lanes) result = lane > result || lane != lane ? lane : result;
  return result;
}

template <class T>
void add_into(const T* x, T* out, int64_t n) {
  elementwise<Add, T>(x, out, out, out, n);
}

template <class T>
void exp_shifted(const T* x, T shift, T* out, int64_t n) {
  map([shift](const auto* x, auto* y) { y[0] = Exp::value(x[0] - Batch<T>(shift)); },
      Inputs<T, 1>{{x}}, Outputs<T, 1>{{out}}, n);
}

template <class T>
void affine(const T* x, T scale, T offset, T* out, int64_t n) {
  map([=](const auto* x, auto* y) { y[0] = Batch<T>(scale) * x[0] + Batch<T>(offset); },
      Inputs<T, 1>{{x}}, Outputs<T, 1>{{out}}, n);
}

template <class T>
void add_scaled(const T* x, T scale, T* out, int64_t n) {
  map([=](const auto* x, auto* y) { y[0] = Batch<T>(scale) * x[0] + x[1]; }, Inputs<T, 2>{{x, out}},
      Outputs<T, 1>{{out}}, n);
}

template <class T>
void multiply_add(const T* a, const T* b, T scale, const T* c, T* out, int64_t n) {
  map([=](const auto* x, auto* y) { y[0] = x[0] * (x[1] * Batch<T>(scale)) + x[2]; },
      Inputs<T, 3>{{a, b, c}}, Outputs<T, 1>{{out}}, n);
}

template <class T, class... Row>
constexpr Kernels<T> make(List<Row...>) {
  return {{elementwise<Row, T>...}, sum<T>,    max<T>,        dot<T>,         add_into<T>,
          exp_shifted<T>,           affine<T>, add_scaled<T>, multiply_add<T>};
}

// Constant-initialised: no code of this instruction set runs before it is chosen.
constinit const Kernels<float> float32 = make<float>(Functions{});
constinit const Kernels<double> float64 = make<double>(Functions{});

}  // namespace

template <>
const Kernels<float>& compiled<Kernels<float>, GRADUS_ISA>() {
  return float32;
}
template <>
const Kernels<double>& compiled<Kernels<double>, GRADUS_ISA>() {
  return float64;
}

}  // namespace gradus::simd
