// Compiled once per instruction set: see core/kernels/instruction_set.h.
#include "core/kernels/batch.h"
#include "core/kernels/simd.h"
#include "core/kernels/split_mix.h"

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

// The order of a reduction does not depend on the instruction set: it runs over lanes of 64 bytes,
// four of them side by side, whatever the width of a register.
template <class T>
constexpr int64_t line = 64 / sizeof(T);
template <class T>
constexpr int line_batches = static_cast<int>(line<T> / width<T>);

/// Folds the elements by `step(so far, a, b)` into four lines and these by `join` into one, which
/// goes to `out`: element i always meets lane i mod (4 · line). `fill`, behind the last element,
/// changes nothing. Without b there is `step(so far, a)`.
template <class T, class Step, class Join>
[[gnu::noinline]] void fold(const T* a, const T* b, int64_t n, T fill, Step step, Join join,
                            T* out) {
  using B = Batch<T>;
  constexpr int count = 4 * line_batches<T>;
  B parts[count];
  for (B& part : parts) part = B(fill);
  auto add = [&](B& part, int64_t i, auto load) {
    if constexpr (requires(B x) { step(x, x); })
      part = step(part, load(a + i));
    else
      part = step(part, load(a + i), load(b + i));
  };
  auto whole = [](const T* x) { return B::load_unaligned(x); };
  int64_t i = 0;
  for (; i + 4 * line<T> <= n; i += 4 * line<T>)
#pragma GCC unroll 16
    for (int k = 0; k < count; ++k) add(parts[k], i + k * width<T>, whole);
  if (i < n) {
#pragma GCC unroll 16
    for (int k = 0; k < count; ++k, i += width<T>) {
      if (i + width<T> <= n)
        add(parts[k], i, whole);
      else if (i < n)
        add(parts[k], i, [&](const T* x) { return load_first<T>(x, n - i, fill); });
    }
  }
  constexpr int r = line_batches<T>;
  for (int k = 0; k < r; ++k)
    join(join(parts[k], parts[r + k]), join(parts[2 * r + k], parts[3 * r + k]))
        .store_aligned(out + k * width<T>);
}

/// The sum of a line in float64, in four sums side by side.
template <class T>
double total_of(const T* lanes) {
  using Four [[gnu::vector_size(4 * sizeof(T)), gnu::may_alias]] = T;
  using Sums [[gnu::vector_size(4 * sizeof(double))]] = double;
  Sums sums = {};
  for (int64_t i = 0; i < line<T>; i += 4)
    sums += __builtin_convertvector(*reinterpret_cast<const Four*>(lanes + i), Sums);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

constexpr int64_t sum_block = 4096;  // float32 partial sums stay short; their sum is float64

/// Σ over i of what `step` adds to the sum so far; it adds nothing for zeros.
template <class T, class Step>
T sum_of(const T* a, const T* b, int64_t n, Step step) {
  double total = 0;
  for (int64_t i = 0; i < n; i += sum_block) {
    alignas(64) T lanes[line<T>];
    fold(
        a + i, b + i, n - i < sum_block ? n - i : sum_block, T(0), step,
        [](auto x, auto y) { return x + y; }, lanes);
    total += total_of(lanes);
  }
  return static_cast<T>(total);
}

template <class T>
T sum(const T* x, int64_t n) {
  return sum_of(x, x, n, [](Batch<T> total, Batch<T> x) { return total + x; });
}

template <class T>
T dot(const T* a, const T* b, int64_t n) {
  return sum_of(a, b, n,
                [](Batch<T> total, Batch<T> x, Batch<T> y) { return xsimd::fma(x, y, total); });
}

template <class T>
T max(const T* x, int64_t n) {
  auto larger = [](Batch<T> x, Batch<T> y) { return Batch<T>(Maximum::value(x, y)); };
  alignas(64) T lanes[line<T>];
  fold(x, x, n, -T(__builtin_inf()), larger, larger, lanes);
  T result = lanes[0];
  for (T lane : lanes) result = lane > result || lane != lane ? lane : result;
  return result;
}

/// A whole batch of elements, and the first n of one.
template <class T>
struct Whole {
  Batch<T> load(const T* x, T /*fill*/) const { return Batch<T>::load_unaligned(x); }
  void store(const Batch<T>& value, T* x) const { value.store_unaligned(x); }
};
template <class T>
struct First {
  int64_t n;
  Batch<T> load(const T* x, T fill) const { return load_first<T>(x, n, fill); }
  void store(const Batch<T>& value, T* x) const { store_first<T>(value, x, n); }
};

template <class T>
struct Pair {
  Batch<T> x, y;
};

/// Σ x and Σ x · y of the pairs (x, y) that `at(i, part)` gives for the part, whole or first, of a
/// batch of elements from i on: each in two lines, in blocks as those of sum_of.
template <class T, class At>
void two_sums(int64_t n, At at, T* sum, T* product) {
  using B = Batch<T>;
  constexpr int count = 2 * line_batches<T>;
  constexpr int64_t piece = 2 * line<T>;
  double totals[2] = {0, 0};
  for (int64_t begin = 0; begin < n; begin += sum_block / 2) {
    const int64_t end = n - begin < sum_block / 2 ? n : begin + sum_block / 2;
    B sums[count], products[count];
    for (int k = 0; k < count; ++k) sums[k] = products[k] = B(T(0));
    auto add = [&](int k, const Pair<T>& pair) {
      sums[k] = sums[k] + pair.x;
      products[k] = xsimd::fma(pair.x, pair.y, products[k]);
    };
    int64_t i = begin;
    for (; i + piece <= end; i += piece)
#pragma GCC unroll 8
      for (int k = 0; k < count; ++k) add(k, at(i + k * width<T>, Whole<T>{}));
#pragma GCC unroll 8
    for (int k = 0; k < count; ++k, i += width<T>) {
      if (i >= end) continue;
      add(k, at(i, First<T>{end - i < width<T> ? end - i : width<T>}));
    }
    alignas(64) T lanes[2][line<T>];
    constexpr int r = line_batches<T>;
    for (int k = 0; k < r; ++k) {
      (sums[k] + sums[r + k]).store_aligned(lanes[0] + k * width<T>);
      (products[k] + products[r + k]).store_aligned(lanes[1] + k * width<T>);
    }
    for (int which = 0; which < 2; ++which) totals[which] += total_of(lanes[which]);
  }
  *sum = static_cast<T>(totals[0]);
  *product = static_cast<T>(totals[1]);
}

template <class T>
void centre(const T* x, T mean, T* d, int64_t n, T* sum, T* squares) {
  two_sums<T>(
      n,
      [=](int64_t i, auto part) {
        const Batch<T> deviation = part.load(x + i, mean) - Batch<T>(mean);
        part.store(deviation, d + i);
        return Pair<T>{deviation, deviation};
      },
      sum, squares);
}

template <class T>
void sum_products(const T* a, const T* b, const T* x, T mean, T rest, int64_t n, T* ab, T* abd) {
  two_sums<T>(
      n,
      [=](int64_t i, auto part) {
        return Pair<T>{part.load(a + i, T(0)) * part.load(b + i, T(0)),
                       part.load(x + i, T(0)) - Batch<T>(mean) - Batch<T>(rest)};
      },
      ab, abd);
}

constexpr int64_t most_rows = 128, most_columns = 4096;  // of a block

/// Four rows at a time, which are added in pairs first.
template <class T>
void sum_rows(const T* x, int64_t step, int64_t rows, int64_t columns, T* out) {
  using B = Batch<T>;
  const int64_t whole = columns - columns % width<T>;
  // out ← f(row(0), row(1), …), or out + f(…)
  auto add = [&](const T* first, bool is_start, auto f) {
    for (int64_t j = 0; j < whole; j += width<T>) {
      const B sum = f([=](int64_t i) { return B::load_unaligned(first + i * step + j); });
      (is_start ? sum : B::load_unaligned(out + j) + sum).store_unaligned(out + j);
    }
    for (int64_t j = whole; j < columns; ++j) {
      const T sum = f([=](int64_t i) { return first[i * step + j]; });
      out[j] = is_start ? sum : out[j] + sum;
    }
  };
  auto one = [](auto row) { return row(0); };
  auto four = [](auto row) { return (row(0) + row(1)) + (row(2) + row(3)); };
  int64_t i = rows < 4 ? 1 : 4;
  if (rows == 0)
    for (int64_t j = 0; j < columns; ++j) out[j] = 0;
  else if (rows < 4)
    add(x, true, one);
  else
    add(x, true, four);
  for (; i + 4 <= rows; i += 4) add(x + i * step, false, four);
  for (; i < rows; ++i) add(x + i * step, false, one);
}

template <class T>
void add_rows(const T* x, int64_t step, int64_t rows, int64_t columns, double* totals) {
  alignas(64) T sums[most_columns];
  for (int64_t first = 0; first < columns; first += most_columns) {
    const int64_t n = columns - first < most_columns ? columns - first : most_columns;
    for (int64_t row = 0; row < rows; row += most_rows) {
      sum_rows(x + row * step + first, step, rows - row < most_rows ? rows - row : most_rows, n,
               sums);
      for (int64_t j = 0; j < n; ++j) totals[first + j] += sums[j];
    }
  }
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
  map([=](const auto* x, auto* y) { y[0] = xsimd::fma(Batch<T>(scale), x[0], Batch<T>(offset)); },
      Inputs<T, 1>{{x}}, Outputs<T, 1>{{out}}, n);
}

template <class T>
void shifted_product(const T* a, T offset, const T* b, T* out, int64_t n) {
  map([=](const auto* x, auto* y) { y[0] = (x[0] + Batch<T>(offset)) * x[1]; },
      Inputs<T, 2>{{a, b}}, Outputs<T, 1>{{out}}, n);
}

template <class T>
void multiply_add(const T* a, const T* b, T scale, const T* c, T* out, int64_t n) {
  map([=](const auto* x, auto* y) { y[0] = xsimd::fma(x[0], x[1] * Batch<T>(scale), x[2]); },
      Inputs<T, 3>{{a, b, c}}, Outputs<T, 1>{{out}}, n);
}

/// Eight random numbers at a time.
template <class T>
void drop(const T* x, uint64_t state, uint64_t least, T scale, T* out, int64_t n) {
  constexpr int64_t count = 8;
  using Numbers [[gnu::vector_size(count * sizeof(uint64_t))]] = uint64_t;
  using Signed [[gnu::vector_size(count * sizeof(int64_t))]] = int64_t;
  using Index = decltype([] {
    if constexpr (sizeof(T) == sizeof(float))
      return int32_t{};
    else
      return int64_t{};
  }());
  using Taken [[gnu::vector_size(count * sizeof(T))]] = Index;
  using Values [[gnu::vector_size(count * sizeof(T))]] = T;
  Numbers states = Numbers{1, 2, 3, 4, 5, 6, 7, 8} * split_mix::increment + state;
  auto next = [&](int64_t i, auto size) {
    Numbers z = states;
    split_mix::mix(z);
    const auto kept = __builtin_convertvector((Signed)(z >> 11) >= (int64_t)least, Taken);
    Values value;
    __builtin_memcpy(&value, x + i, size * sizeof(T));
    value *= kept ? Values{} + scale : Values{};
    __builtin_memcpy(out + i, &value, size * sizeof(T));
    states += count * split_mix::increment;
  };
  struct Eight {
    constexpr operator size_t() const { return count; }
  };
  int64_t i = 0;
  for (; i + count <= n; i += count) next(i, Eight());
  if (i < n) next(i, static_cast<size_t>(n - i));
}

template <class T>
void layer_norm_gradients(const LayerNormRow<T>* by, int64_t rows, const T* g, const T* w,
                          const T* x, T* dx, T* dw, T* db, int64_t n) {
  using B = Batch<T>;
  auto columns = [=](int64_t i, auto part) {
    const B weight = part.load(w + i, T(0));
    B weight_sum = part.load(dw + i, T(0)), bias_sum = part.load(db + i, T(0));
    for (int64_t row = 0, at = i; row < rows; ++row, at += n) {
      const auto& [scale, offset, slope, mean, rest] = by[row];
      const B gradient = part.load(g + at, T(0)), d = part.load(x + at, T(0)) - B(mean) - B(rest);
      part.store(xsimd::fma(B(slope), d, xsimd::fma(B(scale), gradient * weight, B(offset))),
                 dx + at);
      weight_sum = xsimd::fma(gradient, d * B(scale), weight_sum);
      bias_sum = bias_sum + gradient;
    }
    part.store(weight_sum, dw + i);
    part.store(bias_sum, db + i);
  };
  int64_t i = 0;
  for (; i + width<T> <= n; i += width<T>) columns(i, Whole<T>{});
  if (i < n) columns(i, First<T>{n - i});
}

template <class T, class... Row>
constexpr Kernels<T> make(List<Row...>) {
  return {{elementwise<Row, T>...},
          sum<T>,
          max<T>,
          dot<T>,
          centre<T>,
          sum_products<T>,
          sum_rows<T>,
          add_rows<T>,
          add_into<T>,
          exp_shifted<T>,
          affine<T>,
          shifted_product<T>,
          multiply_add<T>,
          drop<T>,
          layer_norm_gradients<T>};
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
