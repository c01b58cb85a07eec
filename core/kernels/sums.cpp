#include "core/kernels/sums.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/kernels/buffer.h"
#include "core/kernels/pool.h"
#include "core/kernels/simd.h"

namespace gradus {

namespace {

constexpr int64_t most_rows = 128;  // of a block
constexpr int64_t widest = 4096;    // columns of a strip

/// Calls work(i) for i < n on all threads, where each has `size` elements to go through.
template <class Work>
void for_each(int64_t n, int64_t size, const Work& work) {
  pool::parallel_for(n, std::max<int64_t>(1, 32768 / std::max<int64_t>(size, 1)),
                     [&](int64_t begin, int64_t end) {
                       for (int64_t i = begin; i < end; ++i) work(i);
                     });
}

/// totals[j] += Σ over i < rows of x[i · step + j]. Of rows with few columns, several count as one.
template <class T>
void add_rows(const T* x, int64_t step, int64_t rows, int64_t columns, double* totals) {
  const auto add = simd::kernels<T>().add_rows;
  constexpr int64_t wide = 64;
  if (const int64_t joined = wide / columns; step == columns && joined > 1 && rows >= joined) {
    double parts[wide] = {};
    add(x, joined * columns, rows / joined, joined * columns, parts);
    for (int64_t i = 0; i < joined; ++i)
      for (int64_t j = 0; j < columns; ++j) totals[j] += parts[i * columns + j];
    x += rows / joined * joined * columns, rows %= joined;
  }
  add(x, step, rows, columns, totals);
}

}  // namespace

template <class T>
void sum_middle(const T* x, int64_t outer, int64_t n, int64_t inner, T* out) {
  if (outer == 0 || inner == 0) return;
  const int64_t strip = std::min(inner, widest), strips = (inner + strip - 1) / strip;
  const int64_t parts = outer * strips;  // part p is strip p mod strips of outer index p / strips
  auto begin_of = [=](int64_t part) { return part % strips * strip; };
  auto width_of = [=](int64_t part) { return std::min(strip, inner - begin_of(part)); };
  auto rows_of = [=](int64_t part) { return x + part / strips * n * inner + begin_of(part); };
  auto out_of = [=](int64_t part) { return out + part / strips * inner + begin_of(part); };
  if (n <= most_rows)
    return for_each(parts, n * strip, [&](int64_t part) {
      simd::kernels<T>().sum_rows(rows_of(part), inner, n, width_of(part), out_of(part));
    });
  const int64_t piece = std::max<int64_t>(most_rows, (1 << 18) / strip / most_rows * most_rows);
  const int64_t pieces = (n + piece - 1) / piece;
  const Buffer<double> totals(parts * pieces * strip);
  for_each(parts * pieces, piece * strip, [&](int64_t i) {
    const int64_t part = i / pieces, first = i % pieces * piece;
    double* total = totals.data() + i * strip;
    std::fill_n(total, strip, 0.0);
    add_rows(rows_of(part) + first * inner, inner, std::min(piece, n - first), width_of(part),
             total);
  });
  for_each(parts, pieces * strip, [&](int64_t part) {
    double* total = totals.data() + part * pieces * strip;
    for (int64_t i = 1; i < pieces; ++i)
      for (int64_t j = 0; j < strip; ++j) total[j] += total[i * strip + j];
    T* to = out_of(part);
    for (int64_t j = 0; j < width_of(part); ++j) to[j] = static_cast<T>(total[j]);
  });
}

template <class T>
void add_rows_at(const T* rows, std::span<const int64_t> ids, int64_t size, T* out, int64_t count) {
  const auto add = simd::kernels<T>().add_into;
  std::vector<int64_t> ends(static_cast<size_t>(count) + 1);  // first how often each id occurs
  for (int64_t id : ids) ++ends[static_cast<size_t>(id) + 1];
  if (std::ranges::max(ends) <= most_rows / 2) {
    for (size_t i = 0; i < ids.size(); ++i)
      add(rows + static_cast<int64_t>(i) * size, out + ids[i] * size, size);
    return;
  }
  // The places of each id, one id after the other.
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  std::vector<int64_t> places(ids.size()), next = ends;
  for (size_t i = 0; i < ids.size(); ++i)
    places[static_cast<size_t>(next[static_cast<size_t>(ids[i])]++)] = static_cast<int64_t>(i);
  for_each(count, static_cast<int64_t>(ids.size()) / count * size, [&](int64_t id) {
    const auto begin = static_cast<size_t>(ends[static_cast<size_t>(id)]),
               end = static_cast<size_t>(ends[static_cast<size_t>(id) + 1]);
    if (begin == end) return;
    std::vector<double> totals(static_cast<size_t>(size));
    std::vector<T> sums(totals.size());
    for (size_t first = begin; first < end; first += most_rows / 2) {
      std::ranges::fill(sums, T(0));
      for (size_t i = first; i < std::min<size_t>(end, first + most_rows / 2); ++i)
        add(rows + places[i] * size, sums.data(), size);
      for (size_t j = 0; j < sums.size(); ++j) totals[j] += static_cast<double>(sums[j]);
    }
    T* to = out + id * size;
    for (size_t j = 0; j < totals.size(); ++j)
      to[j] = static_cast<T>(static_cast<double>(to[j]) + totals[j]);
  });
}

template void sum_middle(const float*, int64_t, int64_t, int64_t, float*);
template void sum_middle(const double*, int64_t, int64_t, int64_t, double*);
template void add_rows_at(const float*, std::span<const int64_t>, int64_t, float*, int64_t);
template void add_rows_at(const double*, std::span<const int64_t>, int64_t, double*, int64_t);

}  // namespace gradus
