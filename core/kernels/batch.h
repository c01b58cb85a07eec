#pragma once

#include <stdint.h>

#include <xsimd/xsimd.hpp>

/// For the files that are compiled once per instruction set, and for nobody else. Nothing in them
/// may use the standard library's templates, nor share an inline function with other files: the
/// linker would merge the copies across instruction sets. So all of this is each file's own.
namespace gradus::simd {
namespace {

template <class T>
using Batch = xsimd::batch<T, xsimd::default_arch>;
template <class T>
constexpr int64_t width = static_cast<int64_t>(Batch<T>::size);

/// Where operands begin.
template <class T, int n>
struct Inputs {
  const T* at[n];
};
template <class T, int n>
struct Outputs {
  T* at[n];
};

/// n is a multiple of the width. Not inlined: there is one copy of the machine code, so that the
/// compiler fuses multiplications with additions in the same places for every element.
template <class F, class T, int ins, int outs>
[[gnu::noinline]] void map_batches(F f, Inputs<T, ins> in, Outputs<T, outs> out, int64_t n) {
  for (int64_t i = 0; i < n; i += width<T>) {
    Batch<T> x[ins], y[outs];
    for (int k = 0; k < ins; ++k) x[k] = Batch<T>::load_unaligned(in.at[k] + i);
    f(x, y);
    for (int k = 0; k < outs; ++k) y[k].store_unaligned(out.at[k] + i);
  }
}

/// Calls f(x, y) for batches x of the elements of each input, to compute y of each output. The last
/// elements, fewer than a batch, are computed with ones behind them.
template <class F, class T, int ins, int outs>
void map(F f, Inputs<T, ins> in, Outputs<T, outs> out, int64_t n) {
  const int64_t rest = n % width<T>, whole = n - rest;
  if (whole > 0) map_batches(f, in, out, whole);
  if (rest == 0) return;
  alignas(64) T last_in[ins][width<T>], last_out[outs][width<T>];
  Inputs<T, ins> x;
  Outputs<T, outs> y;
  for (int k = 0; k < ins; ++k) {
    for (int64_t i = 0; i < width<T>; ++i) last_in[k][i] = i < rest ? in.at[k][whole + i] : T(1);
    x.at[k] = last_in[k];
  }
  for (int k = 0; k < outs; ++k) y.at[k] = last_out[k];
  map_batches(f, x, y, width<T>);
  for (int k = 0; k < outs; ++k)
    for (int64_t i = 0; i < rest; ++i) out.at[k][whole + i] = last_out[k][i];
}

}  // namespace
}  // namespace gradus::simd
