#include "tests/bench/peak.h"

#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "core/tensor/processor.h"

namespace gradus::bench {

namespace {

// Twelve sums hide the four cycles that each waits for the one before it, with two units as well.
constexpr int sums = 12;
constexpr int64_t rounds = 100'000;

__attribute__((target("avx512f"))) double run_avx512() {
  __m512 sum[sums], scale = _mm512_set1_ps(0.999f), step = _mm512_set1_ps(0.001f);
  for (int i = 0; i < sums; ++i) sum[i] = _mm512_set1_ps(static_cast<float>(i));
  for (int64_t i = 0; i < rounds; ++i)
#pragma GCC unroll 12
    for (__m512& x : sum) x = _mm512_fmadd_ps(x, scale, step);
  for (int i = 1; i < sums; ++i) sum[0] = _mm512_add_ps(sum[0], sum[i]);
  volatile float used = _mm512_cvtss_f32(sum[0]);
  (void)used;
  return 2.0 * 16 * sums * rounds;
}

__attribute__((target("avx2,fma"))) double run_avx2() {
  __m256 sum[sums], scale = _mm256_set1_ps(0.999f), step = _mm256_set1_ps(0.001f);
  for (int i = 0; i < sums; ++i) sum[i] = _mm256_set1_ps(static_cast<float>(i));
  for (int64_t i = 0; i < rounds; ++i)
#pragma GCC unroll 12
    for (__m256& x : sum) x = _mm256_fmadd_ps(x, scale, step);
  for (int i = 1; i < sums; ++i) sum[0] = _mm256_add_ps(sum[0], sum[i]);
  volatile float used = _mm256_cvtss_f32(sum[0]);
  (void)used;
  return 2.0 * 8 * sums * rounds;
}

double run_baseline() {
  __m128 sum[sums], scale = _mm_set1_ps(0.999f), step = _mm_set1_ps(0.001f);
  for (int i = 0; i < sums; ++i) sum[i] = _mm_set1_ps(static_cast<float>(i));
  for (int64_t i = 0; i < rounds; ++i)
#pragma GCC unroll 12
    for (__m128& x : sum) x = _mm_add_ps(_mm_mul_ps(x, scale), step);
  for (int i = 1; i < sums; ++i) sum[0] = _mm_add_ps(sum[0], sum[i]);
  volatile float used = _mm_cvtss_f32(sum[0]);
  (void)used;
  return 2.0 * 4 * sums * rounds;
}

}  // namespace

double peak_gflops() {
  const auto run = kernels() == "avx512" ? run_avx512
                   : kernels() == "avx2" ? run_avx2
                                         : run_baseline;
  std::vector<double> rates;
  for (int i = 0; i < 50; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const double operations = run();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    rates.push_back(operations / time.count() / 1e9);
  }
  std::ranges::sort(rates);
  return rates[rates.size() * 9 / 10];
}

}  // namespace gradus::bench
