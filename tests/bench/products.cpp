#include "tests/bench/products.h"

#include <cblas.h>

#include <algorithm>
#include <chrono>

#include "core/kernels/blas.h"
#include "core/kernels/products.h"
#include "core/tensor/error.h"

namespace gradus::bench {

namespace {

/// A function of OpenBLAS, which is loaded for the floor alone: what was measured before does not
/// hold its memory.
template <class Function>
Function* openblas(const char* name) {
  auto* const result = reinterpret_cast<Function*>(blas::function(name));
  if (!result) throw Error("bench: OpenBLAS is not installed (Debian's package is libopenblas0)");
  return result;
}

/// The floating-point operations asked for so far.
double operations = 0;

/// c (m, n) = op(a) · op(b), all of them row-major and dense.
void product(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int64_t m, int64_t n, int64_t k,
             const float* a, const float* b, float* c) {
  const auto i = [](int64_t x) { return static_cast<int>(x); };
  operations += 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  static auto* const sgemm = openblas<decltype(cblas_sgemm)>("cblas_sgemm");
  sgemm(CblasRowMajor, ta, tb, i(m), i(n), i(k), 1, a, i(ta == CblasNoTrans ? k : m), b,
        i(tb == CblasNoTrans ? n : k), 0, c, i(n));
}

/// Values between −0.05 and 0.05: no product of them gets denormal or infinite.
std::vector<float> values(int64_t count) {
  std::vector<float> v(static_cast<size_t>(count));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i * 37 % 101) / 1000 - 0.05f;
  return v;
}

/// y (rows, out) = x (rows, in) · wᵀ, and its gradients.
class Linear {
 public:
  Linear(int64_t rows, int64_t in, int64_t out)
      : rows_(rows),
        in_(in),
        out_(out),
        x_(values(rows * in)),
        w_(values(out * in)),
        y_(values(rows * out)),
        result_(values(std::max({rows * in, rows * out, in * out}))) {}

  void forward(int64_t begin, int64_t end) {
    product(CblasNoTrans, CblasTrans, end - begin, out_, in_, &x_[at(begin * in_)], w_.data(),
            &result_[at(begin * out_)]);
  }
  void input_gradient(int64_t begin, int64_t end) {
    product(CblasNoTrans, CblasNoTrans, end - begin, in_, out_, &y_[at(begin * out_)], w_.data(),
            &result_[at(begin * in_)]);
  }
  void weight_gradient() {
    product(CblasTrans, CblasNoTrans, out_, in_, rows_, y_.data(), x_.data(), result_.data());
  }
  void forward() { forward(0, rows_); }
  void backward() {
    input_gradient(0, rows_);
    weight_gradient();
  }

 private:
  static size_t at(int64_t i) { return static_cast<size_t>(i); }
  int64_t rows_, in_, out_;
  std::vector<float> x_, w_, y_, result_;
};

/// The scores and the context of `queries` rows against `keys` rows, for one sentence.
struct SentenceAttention {
  SentenceAttention(int64_t queries, int64_t keys, int64_t hidden)
      : queries(queries),
        keys(keys),
        hidden(hidden),
        q(values(queries * hidden)),
        k(values(keys * hidden)),
        weights(values(queries * keys)),
        context(q),
        dk(k),
        scores(weights) {}

  /// Forward the scores and the context; backward, in the same shapes, the gradients of the
  /// weights and of the queries.
  void query_side(int64_t rows) {
    product(CblasNoTrans, CblasTrans, rows, keys, hidden, q.data(), k.data(), scores.data());
    product(CblasNoTrans, CblasNoTrans, rows, hidden, keys, weights.data(), k.data(),
            context.data());
  }
  /// The gradients of keys and of values, for all queries at once.
  void key_side() {
    for (int i = 0; i < 2; ++i)
      product(CblasTrans, CblasNoTrans, keys, hidden, queries, weights.data(), q.data(), dk.data());
  }

  int64_t queries, keys, hidden;
  std::vector<float> q, k, weights, context, dk, scores;
};

/// The first row of each time step, and one past the last, where shorter sentences have ended.
std::vector<int64_t> rows_by_time(const std::vector<int64_t>& lengths) {
  std::vector<int64_t> begin{0};
  for (int64_t t = 0; t < *std::ranges::max_element(lengths); ++t)
    begin.push_back(begin.back() + std::ranges::count_if(lengths, [&](auto n) { return n > t; }));
  return begin;
}

class Products {
 public:
  explicit Products(const StepShape& s)
      : feeding_(s.input_feeding),
        sources_(rows_by_time(s.sources)),
        targets_(rows_by_time(s.targets)),
        encoder_input_(sources_.back(), s.embedding, 4 * s.hidden),
        encoder_(sources_.back(), s.hidden, 4 * s.hidden),
        keys_(sources_.back(), s.hidden, s.hidden),
        decoder_input_(targets_.back(), s.embedding, 4 * s.hidden),
        decoder_(targets_.back(), s.hidden, 4 * s.hidden),
        fed_(targets_.back(), s.hidden, 4 * s.hidden),
        combine_(targets_.back(), 2 * s.hidden, s.hidden),
        output_(targets_.back(), s.hidden, s.classes) {
    for (size_t i = 0; i < s.sources.size(); ++i)
      attention_.emplace_back(s.targets[i], s.sources[i], s.hidden);
  }

  void run() {
    encoder_input_.forward();
    each_step(sources_, [&](size_t, int64_t begin, int64_t end) { encoder_.forward(begin, end); });
    keys_.forward();
    decoder_input_.forward();
    each_step(targets_, [&](size_t t, int64_t begin, int64_t end) {
      decoder_.forward(begin, end);
      if (!feeding_) return;
      fed_.forward(begin, end);
      each_sentence(t, [](SentenceAttention& one) { one.query_side(1); });
      combine_.forward(begin, end);
    });
    if (!feeding_) {
      for (SentenceAttention& one : attention_) one.query_side(one.queries);
      combine_.forward();
    }
    output_.forward();

    output_.backward();
    if (!feeding_) {
      combine_.backward();
      for (SentenceAttention& one : attention_) one.query_side(one.queries);
    }
    each_step(targets_, [&](size_t t, int64_t begin, int64_t end) {
      if (feeding_) {
        combine_.input_gradient(begin, end);
        each_sentence(t, [](SentenceAttention& one) { one.query_side(1); });
        fed_.input_gradient(begin, end);
      }
      decoder_.input_gradient(begin, end);
    });
    if (feeding_) {
      combine_.weight_gradient();
      fed_.weight_gradient();
    }
    decoder_.weight_gradient();
    decoder_input_.backward();
    for (SentenceAttention& one : attention_) one.key_side();
    keys_.backward();
    each_step(sources_,
              [&](size_t, int64_t begin, int64_t end) { encoder_.input_gradient(begin, end); });
    encoder_.weight_gradient();
    encoder_input_.backward();
  }

 private:
  static void each_step(const std::vector<int64_t>& begin, const auto& body) {
    for (size_t t = 0; t + 1 < begin.size(); ++t) body(t, begin[t], begin[t + 1]);
  }
  void each_sentence(size_t t, const auto& body) {
    for (SentenceAttention& one : attention_)
      if (one.queries > static_cast<int64_t>(t)) body(one);
  }

  bool feeding_;
  std::vector<int64_t> sources_, targets_;
  Linear encoder_input_, encoder_, keys_, decoder_input_, decoder_, fed_, combine_, output_;
  std::vector<SentenceAttention> attention_;
};

}  // namespace

ProductsTime time_products(const StepShape& shape, int threads) {
  openblas<decltype(openblas_set_num_threads)>("openblas_set_num_threads")(threads);
  Products products(shape);
  products.run();
  operations = 0;
  const auto start = std::chrono::steady_clock::now();
  products.run();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
          operations / 1e9};
}

std::vector<ProductShape> product_shapes() {
  using Shape = ProductShape;
  return {{"64x1024x256", 64, 1024, 256, Shape::kept_weight},
          {"8x1024x256", 8, 1024, 256, Shape::kept_weight},
          {"1x1024x256", 1, 1024, 256, Shape::kept_weight},
          {"1x1024x256/not_kept", 1, 1024, 256, Shape::weight},
          {"704x2281x256", 704, 2281, 256, Shape::weight},
          {"704x256x2281", 704, 256, 2281, Shape::plain},
          {"256x2281x704", 256, 2281, 704, Shape::left_transposed},
          {"2048x2048x2048", 2048, 2048, 2048, Shape::plain}};
}

ProductTimes time_product(const ProductShape& s, int threads) {
  const std::vector<float> a = values(s.rows * s.inner), b = values(s.inner * s.columns);
  std::vector<float> c(static_cast<size_t>(s.rows * s.columns));
  const bool of_a = s.form == ProductShape::left_transposed,
             of_b = s.form == ProductShape::kept_weight || s.form == ProductShape::weight;
  const Matrix<const float> left{a.data(), s.rows, s.inner, of_a ? 1 : s.inner, of_a ? s.rows : 1},
      right{b.data(), s.inner, s.columns, of_b ? 1 : s.columns, of_b ? s.inner : 1};
  const Matrix<float> result{c.data(), s.rows, s.columns, s.columns};
  const PackedMatrix<float> packed(right);
  auto shortest = [&](const auto& run) {
    auto seconds = [](int runs, const auto& run) {
      const auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < runs; ++i) run();
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / runs;
    };
    run();
    const int together = std::max(1, static_cast<int>(1e-4 / seconds(1, run)));
    double least = seconds(together, run);
    for (double spent = 0; spent < 0.3;) {
      const double time = seconds(together, run);
      least = std::min(least, time);
      spent += time * together;
    }
    return least;
  };
  openblas<decltype(openblas_set_num_threads)>("openblas_set_num_threads")(threads);
  return {shortest([&] {
            if (s.form == ProductShape::kept_weight)
              packed.multiply(left, {}, result);
            else
              products::multiply<float>(left, right, {}, result);
          }),
          shortest([&] {
            product(of_a ? CblasTrans : CblasNoTrans, of_b ? CblasTrans : CblasNoTrans, s.rows,
                    s.columns, s.inner, a.data(), b.data(), c.data());
          })};
}

const char* openblas_processor() {
  return openblas<decltype(openblas_get_corename)>("openblas_get_corename")();
}

}  // namespace gradus::bench
