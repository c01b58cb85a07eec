// Compiled once per instruction set: see core/kernels/instruction_set.h.
#include "core/kernels/products.simd.h"

#include "core/kernels/batch.h"

namespace gradus::simd {
namespace {

/// a · b + c, rounded once where the processor can.
template <class V>
V fused(V a, V b, V c) {
  [[maybe_unused]] constexpr bool single = sizeof(typename V::value_type) == sizeof(float);
#if defined(__AVX512F__)
  if constexpr (sizeof(V) == 64 && single) return _mm512_fmadd_ps(a, b, c);
  if constexpr (sizeof(V) == 64 && !single) return _mm512_fmadd_pd(a, b, c);
#endif
#if defined(__FMA__)
  if constexpr (sizeof(V) == 32 && single) return _mm256_fmadd_ps(a, b, c);
  if constexpr (sizeof(V) == 32 && !single) return _mm256_fmadd_pd(a, b, c);
#endif
  return a * b + c;
}

/// The first n elements, at least one, and zeros.
template <class T>
Batch<T> load_part(const T* x, int64_t n) {
  return n >= width<T> ? Batch<T>::load_unaligned(x) : load_first<T>(x, n, T(0));
}
template <class T>
void store_part(Batch<T> value, T* x, int64_t n) {
  if (n >= width<T>)
    value.store_unaligned(x);
  else
    store_first<T>(value, x, n);
}

// A tile's sums stay in registers, two vectors a row and strip: 28 of AVX-512's 32, 12 of the
// others' 16. Few rows take several strips at once, because a sum waits four cycles for the one
// before it.
template <class T>
constexpr int tile_rows = sizeof(Batch<T>) == 64 ? 14 : 6;
template <class T>
constexpr int64_t strip_columns = 2 * width<T>;
template <class T>
constexpr int strips_at_once(int rows) {
  const int registers = sizeof(Batch<T>) == 64 ? 32 : 16;
  auto fit = [&](int strips) { return 2 * strips * (rows + 1) < registers; };
  return rows == 1 || fit(4) ? 4 : fit(2) ? 2 : 1;
}

/// `vectors` of each row: 1, or two for each strip. The left side's rows are a_row apart, or lie
/// side by side.
template <class T, int rows, int vectors, bool apart>
[[gnu::noinline]] void multiply_vectors(const Tile<T>& t) {
  using B = Batch<T>;
  B sums[rows][vectors];
  auto each = [&](auto f) {
#pragma GCC unroll 14
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j) f(sums[i][j], i, j * width<T>);
  };
  // The last vector may be of fewer columns.
  const bool whole = t.columns >= vectors * width<T>;
  constexpr int64_t last = (vectors - 1) * width<T>;
  if (!t.start) {
    each([](B& sum, int, int64_t) { sum = B(T(0)); });
  } else if (whole) {
    each(
        [&](B& sum, int i, int64_t j) { sum = B::load_unaligned(t.start + i * t.start_step + j); });
  } else {
    each([&](B& sum, int i, int64_t j) {
      const T* start = t.start + i * t.start_step + j;
      sum = j < last ? B::load_unaligned(start) : load_part(start, t.columns - last);
    });
  }
  for (int i = 0; i < rows; ++i)  // what the next tile writes
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j)
      __builtin_prefetch(t.c + i * t.c_step + (vectors + j) * width<T>, 1);
  if (t.start)
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j)
        __builtin_prefetch(t.start + i * t.start_step + (vectors + j) * width<T>, 0, 2);
  // A pointer to every third row, since an address adds at most twice a distance.
  constexpr int pointers = apart ? (rows + 2) / 3 : 1;
  const T *a[pointers], *b = t.b;
  const int64_t strip = t.b_strip, row = t.a_row;
#pragma GCC unroll 5
  for (int p = 0; p < pointers; ++p) a[p] = t.a + 3 * p * row;
  for (int64_t k = t.inner; k > 0; --k, b += t.b_step) {
    B right[vectors];
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) {
      const T* at = b + j / 2 * strip + j % 2 * width<T>;
      right[j] = B::load_unaligned(at);
      __builtin_prefetch(at + 4 * strip_columns<T>);
    }
#pragma GCC unroll 14
    for (int i = 0; i < rows; ++i) {
      const B left(apart ? a[i / 3][i % 3 * row] : a[0][i]);
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j) sums[i][j] = fused(left, right[j], sums[i][j]);
    }
#pragma GCC unroll 5
    for (int p = 0; p < pointers; ++p) a[p] += t.a_step;
  }
  each([&](B& sum, int i, int64_t j) {
    T* c = t.c + i * t.c_step + j;
    if (whole || j < last) {
      if (t.adds) sum = B::load_unaligned(c) + sum;
      sum.store_unaligned(c);
    } else {
      if (t.adds) sum = load_part(c, t.columns - last) + sum;
      store_part(sum, c, t.columns - last);
    }
  });
}

template <class T, int rows, bool apart>
void multiply_rows(Tile<T> t) {
  constexpr int strips = strips_at_once<T>(rows);
  auto next = [&](int64_t count) {
    t.b += count * t.b_strip;
    t.c += count * strip_columns<T>;
    if (t.start) t.start += count * strip_columns<T>;
    t.columns -= count * strip_columns<T>;
  };
  if constexpr (strips > 1)
    for (; t.columns > strips * strip_columns<T> - width<T>; next(strips))
      multiply_vectors<T, rows, 2 * strips, apart>(t);
  for (; t.columns > width<T>; next(1)) multiply_vectors<T, rows, 2, apart>(t);
  if (t.columns > 0) multiply_vectors<T, rows, 1, apart>(t);
}

/// Of at most `rows` rows.
template <class T, int rows>
void multiply_at_most(const Tile<T>& tile) {
  if constexpr (rows > 1)
    if (tile.rows < rows) return multiply_at_most<T, rows - 1>(tile);
  if (tile.a_row == 1)
    multiply_rows<T, rows, false>(tile);
  else
    multiply_rows<T, rows, true>(tile);
}

template <class T>
void multiply(const Tile<T>& tile) {
  multiply_at_most<T, tile_rows<T>>(tile);
}

// What is transposed at once: as many lines as fill a register of at most 32 bytes, and of each 16
// bytes. Without AVX these are squares.
template <class T>
constexpr int square = 16 / sizeof(T);
#if defined(__AVX__)
template <class T>
constexpr int lines_at_once = 32 / sizeof(T);

inline void transpose(const float* const (&lines)[8], int64_t at, float* out, int64_t step) {
  __m256 rows[4];
  for (int i = 0; i < 4; ++i)
    rows[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(lines[i] + at)),
                                   _mm_loadu_ps(lines[i + 4] + at), 1);
  const __m256d low = _mm256_castps_pd(_mm256_unpacklo_ps(rows[0], rows[1])),
                low2 = _mm256_castps_pd(_mm256_unpacklo_ps(rows[2], rows[3])),
                high = _mm256_castps_pd(_mm256_unpackhi_ps(rows[0], rows[1])),
                high2 = _mm256_castps_pd(_mm256_unpackhi_ps(rows[2], rows[3]));
  _mm256_storeu_ps(out, _mm256_castpd_ps(_mm256_unpacklo_pd(low, low2)));
  _mm256_storeu_ps(out + step, _mm256_castpd_ps(_mm256_unpackhi_pd(low, low2)));
  _mm256_storeu_ps(out + 2 * step, _mm256_castpd_ps(_mm256_unpacklo_pd(high, high2)));
  _mm256_storeu_ps(out + 3 * step, _mm256_castpd_ps(_mm256_unpackhi_pd(high, high2)));
}
inline void transpose(const double* const (&lines)[4], int64_t at, double* out, int64_t step) {
  __m256d rows[2];
  for (int i = 0; i < 2; ++i)
    rows[i] = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(lines[i] + at)),
                                   _mm_loadu_pd(lines[i + 2] + at), 1);
  _mm256_storeu_pd(out, _mm256_unpacklo_pd(rows[0], rows[1]));
  _mm256_storeu_pd(out + step, _mm256_unpackhi_pd(rows[0], rows[1]));
}
#else
template <class T>
constexpr int lines_at_once = square<T>;

template <class T>
void transpose(const T* const (&lines)[square<T>], int64_t at, T* out, int64_t step) {
  for (int k = 0; k < square<T>; ++k)
    for (int i = 0; i < square<T>; ++i) out[k * step + i] = lines[i][at + k];
}
#endif

/// As many columns as `groups` transposed ones have, or fewer: the last is read for those missing.
template <class T, int groups>
[[gnu::noinline]] void multiply_lines(const Row<T>& r, int64_t column) {
  constexpr int lines = lines_at_once<T>;
  using V = xsimd::make_sized_batch_t<T, lines>;
  const T* at[groups][lines];
  V sums[groups];
  alignas(64) T part[square<T> * lines];
  for (int g = 0; g < groups; ++g) {
    for (int i = 0; i < lines; ++i) {
      const int64_t j = column + g * lines + i, taken = j < r.columns ? j : r.columns - 1;
      at[g][i] = r.b + taken * r.b_step;
      part[i] = r.start ? r.start[taken] : T(0);
    }
    sums[g] = V::load_aligned(part);
  }
  auto add = [&](int g, T a, const T* values) {
    sums[g] = fused(V(a), V::load_aligned(values), sums[g]);
  };
  const int64_t whole = r.inner - r.inner % square<T>;
  for (int64_t k = 0; k < whole; k += square<T>)
#pragma GCC unroll 4
    for (int g = 0; g < groups; ++g) {
      transpose(at[g], k, part, lines);
#pragma GCC unroll 4
      for (int s = 0; s < square<T>; ++s) add(g, r.a[(k + s) * r.a_step], part + s * lines);
    }
  for (int64_t k = whole; k < r.inner; ++k)
    for (int g = 0; g < groups; ++g) {
      for (int i = 0; i < lines; ++i) part[i] = at[g][i][k];
      add(g, r.a[k * r.a_step], part);
    }
  for (int g = 0; g < groups; ++g) {
    sums[g].store_aligned(part);
    for (int64_t i = 0, j = column + g * lines; i < lines && j < r.columns; ++i, ++j)
      r.c[j] = r.adds ? r.c[j] + part[i] : part[i];
  }
}

template <class T>
void multiply_row(const Row<T>& r) {
  constexpr int64_t lines = lines_at_once<T>;
  int64_t j = 0;
  for (; r.columns - j > 2 * lines; j += 4 * lines) multiply_lines<T, 4>(r, j);
  for (; r.columns - j > lines; j += 2 * lines) multiply_lines<T, 2>(r, j);
  for (; j < r.columns; j += lines) multiply_lines<T, 1>(r, j);
}

/// Lines that lie side by side. Behind a group's own lines it takes those of the next one, too, for
/// as long as there are some.
template <class T>
void pack_side_by_side(const Packing<T>& p) {
  constexpr int64_t rows = 4;  // two lines of memory of a group with AVX2
  for (int64_t k = 0; k < p.inner; k += rows) {
    const int64_t last = k + rows < p.inner ? k + rows : p.inner;
    T* to = p.to;
    for (int64_t line = 0; line < p.lines; line += p.group, to += p.group_step) {
      const int64_t left = p.lines - line, n = left < p.group ? left : p.group;
      const T* from = p.from + line;
      for (int64_t i = 0; i < n; i += width<T>) {
        auto copy = [&](int64_t at, auto load) {
          load(from + at * p.inner_step + i).store_unaligned(to + at * p.step + i);
        };
        if (left - i < width<T>)
          for (int64_t at = k; at < last; ++at)
            copy(at, [&](const T* x) { return load_part(x, left - i); });
        else
          for (int64_t at = k; at < last; ++at)
            copy(at, [&](const T* x) {
              __builtin_prefetch(x + 2 * rows * p.inner_step);
              return Batch<T>::load_unaligned(x);
            });
      }
    }
  }
}

template <class T>
void pack(const Packing<T>& p) {
  if (p.line_step == 1) return pack_side_by_side(p);
  constexpr int64_t side = lines_at_once<T>;
  const int64_t whole = p.inner_step == 1 ? p.inner - p.inner % square<T> : 0;
  T* to = p.to;
  for (int64_t first = 0; first < p.lines; first += p.group, to += p.group_step) {
    const int64_t n = p.lines - first < p.group ? p.lines - first : p.group;
    for (int64_t i = 0; i < n; i += side) {
      const T* lines[side];
      for (int64_t s = 0; s < side; ++s)
        lines[s] = p.from + (first + (i + s < n ? i + s : n - 1)) * p.line_step;
      for (int64_t k = 0; k < whole; k += square<T>)
        transpose(lines, k, to + k * p.step + i, p.step);
      for (int64_t k = whole; k < p.inner; ++k)
        for (int64_t s = 0; s < side; ++s) to[k * p.step + i + s] = lines[s][k * p.inner_step];
    }
  }
}

template <class T>
constexpr Products<T> make() {
  return {tile_rows<T>, strip_columns<T>, multiply<T>, multiply_row<T>, pack<T>};
}

// Constant-initialised: no code of this instruction set runs before it is chosen.
constinit const Products<float> float32 = make<float>();
constinit const Products<double> float64 = make<double>();

}  // namespace

template <>
const Products<float>& compiled<Products<float>, GRADUS_ISA>() {
  return float32;
}
template <>
const Products<double>& compiled<Products<double>, GRADUS_ISA>() {
  return float64;
}

}  // namespace gradus::simd
