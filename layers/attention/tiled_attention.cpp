#include "layers/attention/tiled_attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/autograd/fused.h"
#include "core/functions/first_run.h"
#include "core/functions/mask.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/tensor/threads.h"
#include "layers/attention/tiled_attention.simd.h"
#include "layers/attention/unseen.h"

namespace gradus {

namespace {

const Pointwise rescaled_sum{"rescaled_sum", [](Expr o, Expr c, Expr y) { return o * c + y; }};
const Pointwise divided{"divided", [](Expr o, Expr l) { return o / where(l, l, 1); }};

/// Below every score but finite, so that a query that has seen no key yet has no NaN.
constexpr double nothing_yet = -1e30;

/// The matrix of the last two axes at index n of those before them.
Tensor matrix(const Tensor& x, int64_t n) {
  const int r = x.rank();
  int64_t offset = 0;
  for (int axis = r - 3; axis >= 0; --axis) {
    offset += n % x.shape()[axis] * x.strides()[axis];
    n /= x.shape()[axis];
  }
  return x.view({x.shape()[r - 2], x.shape()[r - 1]}, {x.strides()[r - 2], x.strides()[r - 1]},
                offset);
}

Tensor rows(const Tensor& x, int64_t begin, int64_t end) { return slice(x, 0, begin, end); }

/// 1 where a query of [i, i_end) sees a key of [j, j_end); undefined where all see all.
Tensor within_span(const AttentionSpan& span, int64_t i, int64_t i_end, int64_t j, int64_t j_end,
                   DType dtype) {
  if (i == i_end || (span.first(i_end - 1) <= j && span.end(i, j_end) == j_end)) return {};
  Tensor seen = zeros({i_end - i, j_end - j});
  float* row = seen.mutable_data<float>();
  for (int64_t query = i; query < i_end; ++query, row += j_end - j) {
    const int64_t first = std::max(j, span.first(query)), end = span.end(query, j_end);
    if (first < end) std::fill(row + first - j, row + end - j, 1.0F);
  }
  return cast(seen, dtype);
}

/// The keys that queries see, by a mask and a span.
struct Sight {
  Tensor attended;  // (…, 1 or queries, 1 or keys), or undefined
  AttentionSpan span;

  Sight(const Mask& mask, const AttentionSpan& span, const Shape& scores, DType dtype)
      : span(span) {
    if (!mask.defined()) return;
    check_broadcast("tiled attention", mask, scores);
    Shape shape = scores;  // with the mask's own last axes
    Tensor given = mask.attended(dtype);
    while (given.rank() < scores.rank()) given = unsqueeze(given, 0);
    for (int axis = scores.rank() - 2; axis < scores.rank(); ++axis)
      shape[axis] = given.shape()[axis];
    attended = expand(given, shape);
  }

  /// Scores of the queries from i and the keys from j on, −∞ where one is not seen.
  Tensor operator()(Tensor scores, const Tensor& mask, int64_t i, int64_t j) const {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const int64_t rows = scores.shape()[0], columns = scores.shape()[1];
    if (mask.defined()) {
      auto part = [&](const Tensor& x, int axis, int64_t begin, int64_t size) {
        return x.shape()[axis] == 1 ? x : slice(x, axis, begin, begin + size);
      };
      scores = where(part(part(mask, 0, i, rows), 1, j, columns), scores, -infinity);
    }
    const Tensor seen = within_span(span, i, i + rows, j, j + columns, scores.dtype());
    return seen.defined() ? where(seen, scores, -infinity) : scores;
  }
};

/// Calls body(begin, end) for the tiles of [0, n) that overlap [first, end).
void for_each_tile(int64_t first, int64_t end, int64_t n, int64_t size, const auto& body) {
  for (int64_t begin = first / size * size; begin < end; begin += size)
    body(begin, std::min(n, begin + size));
}

/// Calls body(n) for each of the matrices, on all threads.
void for_each_matrix(int64_t count, const auto& body) {
  parallel_for(count, 1, [&](int64_t begin, int64_t end) {
    const NoGrad pause;
    for (int64_t n = begin; n < end; ++n) body(n);
  });
}

/// Calls f with the kernels for the scores' dtype, and with where they are.
void with_kernels(Tensor& scores, const auto& f) {
  dispatch_float("tiled_attention", scores.dtype(), [&](auto element) {
    using T = decltype(element);
    f(simd::best<simd::AttentionKernels<T>>(), scores.mutable_data<T>());
  });
}

struct Tiles {
  TiledAttention tile;
  Sight sight;
  int64_t count, queries, keys;  // of matrices; of rows
  double scale;

  Tiles(const TiledAttention& tile, const Mask& mask, const Tensor& q, const Tensor& k)
      : tile(tile),
        sight(mask, tile.span, q.shape().with(q.rank() - 1, k.size(-2)), q.dtype()),
        count(1),
        queries(q.size(-2)),
        keys(k.size(-2)),
        scale(1 / std::sqrt(static_cast<double>(q.size(-1)))) {
    for (int axis = 0; axis < q.rank() - 2; ++axis) count *= q.shape()[axis];
  }

  Tensor mask_of(int64_t n) const {
    return sight.attended.defined() ? matrix(sight.attended, n) : Tensor();
  }

  /// Writes the output, and for the way back, of each query's scores, the largest m and Σ exp(s −
  /// m), (…, queries, 2): m + log Σ would round away what a large m leaves of log Σ.
  void forward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
               const Tensor& sums) const {
    for_each_matrix(count, [&](int64_t n) {
      const Tensor qn = matrix(q, n), kn = matrix(k, n), vn = matrix(v, n), mask = mask_of(n);
      for_each_tile(0, queries, queries, tile.queries, [&](int64_t i, int64_t i_end) {
        const Tensor qi = rows(qn, i, i_end) * scale;
        Tensor o = zeros({i_end - i, v.size(-1)}, q.dtype());
        Tensor m_and_l = rows(matrix(sums, n), i, i_end), l = slice(m_and_l, 1, 1, 2);
        Tensor c = Tensor::uninitialised({i_end - i, 1}, q.dtype());
        m_and_l.assign(expand(tensor({nothing_yet, 0}, q.dtype()), m_and_l.shape()));
        const int64_t first = tile.span.first(i), end = tile.span.end(i_end - 1, keys);
        for_each_tile(first, end, keys, tile.keys, [&](int64_t j, int64_t j_end) {
          Tensor s = sight(matmul(qi, transpose(rows(kn, j, j_end))), mask, i, j);
          with_kernels(s, [&](const auto& kernels, auto* scores) {
            using T = std::remove_pointer_t<decltype(scores)>;
            kernels.softmax(scores, i_end - i, j_end - j, m_and_l.mutable_data<T>(),
                            c.mutable_data<T>());
          });
          o = rescaled_sum(o, c, matmul(s, rows(vn, j, j_end)));
        });
        rows(matrix(out, n), i, i_end).assign(divided(o, l));
        l.assign(where(l, l, 1));
      });
    });
  }

  std::vector<Gradient> backward(const Tensor& sums, const Backward& b) const {
    const Tensor &q = b.input(0), &k = b.input(1), &v = b.input(2), &output = b.output();
    const Tensor dq = zeros(q.shape(), q.dtype()), dk = zeros(k.shape(), q.dtype()),
                 dv = zeros(v.shape(), q.dtype());
    for_each_matrix(count, [&](int64_t n) {
      const Tensor qn = matrix(q, n) * scale, kn = matrix(k, n), vn = matrix(v, n),
                   gn = matrix(b.gradient, n), mask = mask_of(n), m_and_l = matrix(sums, n);
      const Tensor d = sum(gn * matrix(output, n), {1}, keepdims);
      for_each_tile(0, keys, keys, tile.keys, [&](int64_t j, int64_t j_end) {
        const Tensor kj = rows(kn, j, j_end), vj = rows(vn, j, j_end);
        Tensor dkj = rows(matrix(dk, n), j, j_end), dvj = rows(matrix(dv, n), j, j_end);
        for_each_tile(0, queries, queries, tile.queries, [&](int64_t i, int64_t i_end) {
          if (j >= tile.span.end(i_end - 1, keys) || j_end <= tile.span.first(i)) return;
          const Tensor qi = rows(qn, i, i_end), g = rows(gn, i, i_end);
          Tensor s = sight(matmul(qi, transpose(kj)), mask, i, j);
          Tensor dp = matmul(g, transpose(vj));
          with_kernels(s, [&](const auto& kernels, auto* scores) {
            using T = std::remove_pointer_t<decltype(scores)>;
            kernels.softmax_gradient(scores, dp.mutable_data<T>(), i_end - i, j_end - j,
                                     m_and_l.data<T>() + 2 * i, d.data<T>() + i);
          });
          const Tensor &p = s, &ds = dp;  // where they were
          add_matmul(transpose(p), g, dvj);
          add_matmul(transpose(ds), qi, dkj);
          add_matmul(ds, kj, rows(matrix(dq, n), i, i_end));
        });
      });
    });
    return {dq * scale, dk, dv};
  }
};

/// A tensor for the sums that the way back needs.
Tensor sums_of(const Tensor& q) {
  return Tensor::uninitialised(q.shape().with(q.rank() - 1, 2), q.dtype());
}

}  // namespace

Mask AttentionSpan::mask(int64_t queries, int64_t keys) const {
  const Tensor seen = within_span(*this, 0, queries, 0, keys, DType::float32);
  return seen.defined() ? Mask::attend(seen, Mask::queries_keys) : Mask();
}

AttentionOutput TiledAttention::operator()(const Tensor& query, const Tensor& key,
                                           const Tensor& value, const Mask& mask,
                                           Generator*) const {
  const int r = query.rank();
  const bool fits = r >= 2 && key.rank() == r && value.rank() == r &&
                    key.shape() == query.shape().with(r - 2, key.size(-2)) &&
                    value.shape() == key.shape().with(r - 1, value.size(-1));
  if (!fits)
    throw Error(
        fmt::format("tiled attention: expected queries (…, queries, d), keys (…, keys, d) and "
                    "values (…, keys, n), got {}, {} and {}",
                    query.description(), key.description(), value.description()));
  if (queries < 1 || keys < 1)
    throw Error(
        fmt::format("tiled attention: expected tiles of at least 1 query and 1 key, got {} and {}",
                    queries, keys));
  if (span.before < 0 || span.after < 0 || span.block < 1)
    throw Error(
        fmt::format("tiled attention: expected a span of at least 0 before and after, in blocks "
                    "of at least 1, got {}, {} and {}",
                    span.before, span.after, span.block));
  const bool some_masked = mask.defined();
  auto seen = [&](const Tensor& x) {
    return some_masked && !is_finite(x) ? zeros_for_unseen_keys(x, mask) : x;
  };
  const Tensor k = seen(key), v = value.is_same_as(key) ? k : seen(value),
               q = some_masked && !is_finite(query) ? zeros_for_blind_queries(query, mask) : query;
  const Tiles tiles(*this, mask, q, k);
  // The rule uses what the first run of the op has kept, if it is given the same queries.
  const Tensor kept = sums_of(q);
  const auto one_pass = [tiles, kept, first = FirstRun(q)](const std::vector<Tensor>& x) {
    const Tensor out =
        Tensor::uninitialised(x[0].shape().with(x[0].rank() - 1, x[2].size(-1)), x[0].dtype());
    tiles.forward(x[0].detach(), x[1].detach(), x[2].detach(), out,
                  first.has(x[0]) ? kept : sums_of(x[0]));
    return out;
  };
  const auto rule = [tiles, kept, first = FirstRun(q)](const Backward& b) {
    const Tensor& q = b.input(0);
    if (first.has(q)) return tiles.backward(kept, b);
    const Tensor again = sums_of(q);
    const Tensor out = Tensor::uninitialised(b.output_shape(), q.dtype());
    tiles.forward(q.detach(), b.input(1).detach(), b.input(2).detach(), out, again);
    return tiles.backward(again, b);
  };
  const auto composed = [mask, span = span](const std::vector<Tensor>& x) {
    const Mask seen = mask & span.mask(x[0].size(-2), x[1].size(-2));
    return ScaledDotAttention{}(x[0], x[1], x[2], seen).output;
  };
  const Op op{
      "tiled_attention",
      "softmax(a · bᵀ / √d) · c",
      {{"s · b / √d with p = softmax(a · bᵀ / √d), s = p · (g · cᵀ − Σ g · y)", reads("abcy")},
       {"sᵀ · a / √d", reads("abcy")},
       {"pᵀ · g", reads("aby")}}};
  return {fused(op, {q, k, v}, one_pass, rule, composed), {}};
}

}  // namespace gradus
