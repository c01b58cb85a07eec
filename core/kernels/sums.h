#pragma once

#include <cstdint>
#include <span>

/// Sums over rows of float32 or float64, on all threads: blocks of rows are added in the rows' type
/// and the sums of the blocks in float64, in an order that depends on the sizes alone.
namespace gradus {

/// out[i, j] = Σₖ x[i, k, j] for x (outer, n, inner).
template <class T>
void sum_middle(const T* x, int64_t outer, int64_t n, int64_t inner, T* out);

/// out[ids[i]] += rows[i], for rows of `size` elements; `out` has `count` of them.
template <class T>
void add_rows_at(const T* rows, std::span<const int64_t> ids, int64_t size, T* out, int64_t count);

}  // namespace gradus
