#pragma once

#include <stdint.h>

#include <xsimd/xsimd.hpp>

#ifdef __AVX512F__
/// xsimd 8 has no fused multiply-add for AVX-512: it multiplies, rounds and adds. With these, which
/// its own functions find as well, AVX-512 and AVX2 give the same bits.
namespace xsimd {
using Floats = batch<float, default_arch>;
using Doubles = batch<double, default_arch>;
inline Floats fma(Floats const& a, Floats const& b, Floats const& c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline Doubles fma(Doubles const& a, Doubles const& b, Doubles const& c) {
  return _mm512_fmadd_pd(a, b, c);
}
inline Floats fms(Floats const& a, Floats const& b, Floats const& c) {
  return _mm512_fmsub_ps(a, b, c);
}
inline Doubles fms(Doubles const& a, Doubles const& b, Doubles const& c) {
  return _mm512_fmsub_pd(a, b, c);
}
inline Floats fnma(Floats const& a, Floats const& b, Floats const& c) {
  return _mm512_fnmadd_ps(a, b, c);
}
inline Doubles fnma(Doubles const& a, Doubles const& b, Doubles const& c) {
  return _mm512_fnmadd_pd(a, b, c);
}
}  // namespace xsimd
#endif

/// For the files that are compiled once per instruction set, and for nobody else. Nothing in them
/// may use the standard library's templates, nor share an inline function with other files: the
/// linker would merge the copies across instruction sets. So all of this is each file's own.
namespace gradus::simd {
namespace {

template <class T>
using Batch = xsimd::batch<T, xsimd::default_arch>;
template <class T>
constexpr int64_t width = static_cast<int64_t>(Batch<T>::size);

/// The first n elements from x on, fewer than a batch, and `fill` behind them.
template <class T>
Batch<T> load_first(const T* x, int64_t n, T fill) {
  using B = Batch<T>;
#if defined __AVX512F__
  if constexpr (sizeof(T) == sizeof(float))
    return _mm512_mask_loadu_ps(B(fill), static_cast<__mmask16>((1U << n) - 1), x);
  else
    return _mm512_mask_loadu_pd(B(fill), static_cast<__mmask8>((1U << n) - 1), x);
#elif defined __AVX2__
  if constexpr (sizeof(T) == sizeof(float)) {
    const __m256i taken = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                                             _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    return _mm256_blendv_ps(B(fill), _mm256_maskload_ps(x, taken), _mm256_castsi256_ps(taken));
  } else {
    const __m256i taken = _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
    return _mm256_blendv_pd(B(fill), _mm256_maskload_pd(x, taken), _mm256_castsi256_pd(taken));
  }
#else
  alignas(64) T all[width<T>];
  B(fill).store_aligned(all);
  for (int64_t i = 0; i < n; ++i) all[i] = x[i];
  return B::load_aligned(all);
#endif
}

/// The first n elements of a batch, to x and after.
template <class T>
void store_first(const Batch<T>& value, T* x, int64_t n) {
#if defined __AVX512F__
  if constexpr (sizeof(T) == sizeof(float))
    _mm512_mask_storeu_ps(x, static_cast<__mmask16>((1U << n) - 1), value);
  else
    _mm512_mask_storeu_pd(x, static_cast<__mmask8>((1U << n) - 1), value);
#elif defined __AVX2__
  if constexpr (sizeof(T) == sizeof(float))
    _mm256_maskstore_ps(x,
                        _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                                           _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)),
                        value);
  else
    _mm256_maskstore_pd(
        x, _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3)), value);
#else
  alignas(64) T all[width<T>];
  value.store_aligned(all);
  for (int64_t i = 0; i < n; ++i) x[i] = all[i];
#endif
}

/// Where operands begin.
template <class T, int n>
struct Inputs {
  const T* at[n];
};
template <class T, int n>
struct Outputs {
  T* at[n];
};

/// Calls f(x, y) for batches x of the elements of each input, to compute y of each output. The last
/// elements, fewer than a batch, are computed with ones behind them.
template <class F, class T, int ins, int outs>
[[gnu::noinline]] void map(F f, Inputs<T, ins> in, Outputs<T, outs> out, int64_t n) {
  Batch<T> x[ins], y[outs];
  int64_t i = 0;
  for (; i + width<T> <= n; i += width<T>) {
    for (int k = 0; k < ins; ++k) x[k] = Batch<T>::load_unaligned(in.at[k] + i);
    f(x, y);
    for (int k = 0; k < outs; ++k) y[k].store_unaligned(out.at[k] + i);
  }
  if (i == n) return;
  for (int k = 0; k < ins; ++k) x[k] = load_first<T>(in.at[k] + i, n - i, T(1));
  f(x, y);
  for (int k = 0; k < outs; ++k) store_first<T>(y[k], out.at[k] + i, n - i);
}

}  // namespace
}  // namespace gradus::simd
