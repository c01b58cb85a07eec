// Compiled once per instruction set, with GRADUS_ISA naming it: see CMakeLists.txt. Nothing here
// may use the standard library's templates, whose copies the linker would merge across instruction
// sets.
#include "core/kernels/simd.h"

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

/// Where operands begin.
template <class T, size_t n>
struct Inputs {
  const T* at[n];
};
template <class T, size_t n>
struct Outputs {
  T* at[n];
};

/// n is a multiple of the width. Not inlined: there is one copy of the machine code, so that the
/// compiler fuses multiplications with additions in the same places for every element.
template <class F, class T, size_t ins, size_t outs>
[[gnu::noinline]] void map_batches(F f, Inputs<T, ins> in, Outputs<T, outs> out, int64_t n) {
  for (int64_t i = 0; i < n; i += width<T>) {
    Batch<T> x[ins], y[outs];
    for (size_t k = 0; k < ins; ++k) x[k] = Batch<T>::load_unaligned(in.at[k] + i);
    f(x, y);
    for (size_t k = 0; k < outs; ++k) y[k].store_unaligned(out.at[k] + i);
  }
}

/// Calls f(x, y) for batches x of the elements of each input, to compute y of each output. The last
/// elements, fewer than a batch, are computed with ones behind them.
template <class F, class T, size_t ins, size_t outs>
void map(F f, Inputs<T, ins> in, Outputs<T, outs> out, int64_t n) {
  const int64_t rest = n % width<T>, whole = n - rest;
  if (whole > 0) map_batches(f, in, out, whole);
  if (rest == 0) return;
  alignas(64) T last_in[ins][width<T>], last_out[outs][width<T>];
  Inputs<T, ins> x;
  Outputs<T, outs> y;
  for (size_t k = 0; k < ins; ++k) {
    for (int64_t i = 0; i < width<T>; ++i) last_in[k][i] = i < rest ? in.at[k][whole + i] : T(1);
    x.at[k] = last_in[k];
  }
  for (size_t k = 0; k < outs; ++k) y.at[k] = last_out[k];
  map_batches(f, x, y, width<T>);
  for (size_t k = 0; k < outs; ++k)
    for (int64_t i = 0; i < rest; ++i) out.at[k][whole + i] = last_out[k][i];
}

template <class Row, class T>
void elementwise(const T* a, const T* b, const T* c, T* out, int64_t n) {
  constexpr size_t arity = static_cast<size_t>(scalar::arity<Row>());
  const T* operands[] = {a, b, c};
  Inputs<T, arity> in;
  for (size_t k = 0; k < arity; ++k) in.at[k] = operands[k];
  auto value = []<size_t... k>(const Batch<T>* x, std::index_sequence<k...>) {
    return Batch<T>(Row::value(x[k]...));
  };
  map([=](const auto* x, auto* y) { y[0] = value(x, std::make_index_sequence<arity>{}); }, in,
      Outputs<T, 1>{{out}}, n);
}

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
  map([shift](const auto* x, auto* y) { y[0] = scalar::Exp::value(x[0] - Batch<T>(shift)); },
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

template <class T>
void adam(const AdamStep<T>& s, const T* g, T* p, T* m, T* v, int64_t n) {
  const FlushSubnormals flush;
  map(
      [s](const auto* x, auto* y) {
        using B = Batch<T>;
        const B gradient = x[0] + B(s.pull) * x[1];
        y[1] = B(s.beta1) * x[2] + B(1 - s.beta1) * gradient;
        y[2] = B(s.beta2) * x[3] + B(1 - s.beta2) * gradient * gradient;
        y[0] = B(s.shrink) * x[1] -
               B(s.stride) * y[1] / (sqrt(y[2]) * B(s.inverse_root) + B(s.epsilon));
      },
      Inputs<T, 4>{{g, p, m, v}}, Outputs<T, 3>{{p, m, v}}, n);
}

template <class T>
void lstm_cell(const T* gates, const T* c, T* next_h, T* next_c, int64_t n) {
  map(
      [](const auto* x, auto* y) {
        using namespace scalar;
        y[1] = Sigmoid::value(x[1]) * x[4] + Sigmoid::value(x[0]) * Tanh::value(x[2]);
        y[0] = Sigmoid::value(x[3]) * Tanh::value(y[1]);
      },
      Inputs<T, 5>{{gates, gates + n, gates + 2 * n, gates + 3 * n, c}},
      Outputs<T, 2>{{next_h, next_c}}, n);
}

template <class T>
void lstm_cell_gradient(const T* gates, const T* c, const T* next_c, const T* dh, const T* dc,
                        T* dgates, T* dc_before, int64_t n) {
  map(
      [](const auto* x, auto* y) {
        using namespace scalar;
        const Batch<T> one(1), i = Sigmoid::value(x[0]), f = Sigmoid::value(x[1]),
                               g = Tanh::value(x[2]), o = Sigmoid::value(x[3]),
                               t = Tanh::value(x[5]);
        const Batch<T> cell = x[7] + x[6] * o * (one - t * t);  // dL/dc′
        y[0] = cell * g * (i * (one - i));
        y[1] = cell * x[4] * (f * (one - f));
        y[2] = cell * i * (one - g * g);
        y[3] = x[6] * t * (o * (one - o));
        y[4] = cell * f;
      },
      Inputs<T, 8>{{gates, gates + n, gates + 2 * n, gates + 3 * n, c, next_c, dh, dc}},
      Outputs<T, 5>{{dgates, dgates + n, dgates + 2 * n, dgates + 3 * n, dc_before}}, n);
}

// --- products -----------------------------------------------------------------------------------

// A tile's sums stay in registers, two vectors a row: 28 of AVX-512's 32, 12 of the others' 16.
template <class T>
constexpr int64_t tile_rows = sizeof(Batch<T>) == 64 ? 14 : 6;
template <class T>
constexpr int64_t tile_columns = 2 * width<T>;

template <class T, int rows>
[[gnu::noinline]] void multiply_rows(const Tile<T>& t) {
  using B = Batch<T>;
  B sums[rows][2];
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < 2; ++j)
      sums[i][j] = t.start ? B::load_unaligned(t.start + i * t.start_step + j * width<T>) : B(T(0));
  const T *a = t.a, *b = t.b;
  for (int64_t k = t.inner; k > 0; --k, a += rows, b += tile_columns<T>) {
    const B left = B::load_aligned(b), right = B::load_aligned(b + width<T>);
#pragma GCC unroll 14
    for (int i = 0; i < rows; ++i) {
      sums[i][0] = xsimd::fma(B(a[i]), left, sums[i][0]);
      sums[i][1] = xsimd::fma(B(a[i]), right, sums[i][1]);
    }
  }
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < 2; ++j) sums[i][j].store_unaligned(t.c + i * t.c_step + j * width<T>);
}

template <class T, size_t... i>
void multiply_rows(const Tile<T>& tile, std::index_sequence<i...>) {
  static constexpr void (*with_rows[])(const Tile<T>&) = {multiply_rows<T, int(i) + 1>...};
  with_rows[tile.rows - 1](tile);
}

template <class T>
void multiply_tile(const Tile<T>& tile) {
  constexpr auto sizes = std::make_index_sequence<static_cast<size_t>(tile_rows<T>)>{};
  constexpr int64_t n = tile_columns<T>;
  if (tile.columns == n) return multiply_rows(tile, sizes);
  alignas(64) T part[tile_rows<T> * n];  // whole rows, of which c has the beginnings
  for (int64_t i = 0; i < tile.rows; ++i)
    for (int64_t j = 0; j < n; ++j)
      part[i * n + j] = tile.start && j < tile.columns ? tile.start[i * tile.start_step + j] : T(0);
  Tile<T> whole = tile;
  whole.start = whole.c = part;
  whole.start_step = whole.c_step = n;
  multiply_rows(whole, sizes);
  for (int64_t i = 0; i < tile.rows; ++i)
    for (int64_t j = 0; j < tile.columns; ++j) tile.c[i * tile.c_step + j] = part[i * n + j];
}

/// The transpose of a square of 16 bytes a side, by interleaving its halves.
template <class T>
void transpose_square(const T* x, int64_t leading, T* out, int64_t step) {
  constexpr int64_t side = 16 / sizeof(T);
  using Row = xsimd::make_sized_batch_t<T, side>;
  Row rows[side], next[side];
  for (int64_t i = 0; i < side; ++i) rows[i] = Row::load_unaligned(x + i * leading);
  for (int64_t done = 1; done < side; done *= 2) {
    for (int64_t i = 0; i < side / 2; ++i) {
      next[2 * i] = xsimd::zip_lo(rows[i], rows[i + side / 2]);
      next[2 * i + 1] = xsimd::zip_hi(rows[i], rows[i + side / 2]);
    }
    for (int64_t i = 0; i < side; ++i) rows[i] = next[i];
  }
  for (int64_t j = 0; j < side; ++j) rows[j].store_unaligned(out + j * step);
}

template <class T>
void transpose(const T* x, int64_t leading, int64_t rows, int64_t columns, T* out, int64_t step) {
  constexpr int64_t side = 16 / sizeof(T), line = 64 / sizeof(T);
  const int64_t whole_rows = rows - rows % side, whole_columns = columns - columns % side;
  // Line by line: far apart in powers of two, more rows than a few do not fit into the cache.
  for (int64_t first = 0; first < whole_columns; first += line)
    for (int64_t i = 0; i < whole_rows; i += side)
      for (int64_t j = first; j < whole_columns && j < first + line; j += side)
        transpose_square(x + i * leading + j, leading, out + j * step + i, step);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = i < whole_rows ? whole_columns : 0; j < columns; ++j)
      out[j * step + i] = x[i * leading + j];
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
          multiply_add<T>,
          adam<T>,
          lstm_cell<T>,
          lstm_cell_gradient<T>,
          tile_rows<T>,
          tile_columns<T>,
          multiply_tile<T>,
          transpose<T>};
}

}  // namespace

// Constant-initialised: no code of this instruction set runs before it is chosen.
extern constinit const Kernels<float> kernels_float32 =
    make<float>(std::make_index_sequence<scalar::row_count>{});
extern constinit const Kernels<double> kernels_float64 =
    make<double>(std::make_index_sequence<scalar::row_count>{});

}  // namespace gradus::simd::GRADUS_ISA
