#include "layers/recurrent/gru.h"

#include "core/functions/dropout.h"
#include "core/ops/matmul.h"
#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "layers/recurrent/gru.simd.h"
#include "layers/recurrent/recurrence.h"
#include "layers/recurrent/sequence.h"

namespace gradus {

namespace {

using recurrent::Tensors;

const Pointwise next_hidden{"gru_cell", [](Expr r, Expr z, Expr x, Expr n, Expr h) {
                              const Expr candidate = tanh(x + sigmoid(r) * n);
                              return candidate + sigmoid(z) * (h - candidate);
                            }};

struct GRURecurrence {
  static constexpr const char* name = "gru";
  static constexpr int gates = 3, states = 1;
  static constexpr bool hidden_bias = true;

  static constexpr Derivative derivatives[]{
      {"(u · (n + d) · σ′(r), w · (c − m) · σ′(z), u) with w = dL/dh′ and "
       "u = w · (1 − σ(z)) · (1 − m²)",
       reads("abcdy")},
      {"vᵀ · c with v = dL/da, its last part times σ(r)", reads("abcdy")},
      {"w · σ(z) + v · b", reads("abcdy")},
      {"Σ u · σ(r)", reads("abcdy")}};
  static Op op(bool one_step) {
    return {one_step ? "gru_cell" : "gru",
            "h′ = m + σ(z) · (c − m), m = tanh(k + σ(r) · (n + d)), with (r, z) = the first two "
            "parts of a + c · bᵀ, k the last of a and n the last of c · bᵀ",
            derivatives};
  }
  template <class T>
  static void forward(const T* a, const T* projected, std::array<const T*, 1> before,
                      std::array<T*, 1> after, int64_t n) {
    simd::best<simd::GruKernels<T>>().cell(a, projected + 2 * n, before[0], after[0], n);
  }
  template <class T>
  static void backward(const T* a, const T* projected, std::array<const T*, 1> before,
                       std::array<const T*, 1>, std::array<T*, 1> now, T* da, T* dprojected,
                       int64_t n) {
    simd::best<simd::GruKernels<T>>().cell_gradient(a, projected + 2 * n, before[0], now[0], da,
                                                    dprojected, now[0], n);
  }
  static Tensors composed(const Tensor& projected, const Tensor& weight, const Tensor& bias,
                          const Tensors& before) {
    const Tensors from_x = split(projected, 3, 1), from_h = split(linear(before[0], weight), 3, 1);
    return {next_hidden(from_x[0] + from_h[0], from_x[1] + from_h[1], from_x[2], from_h[2] + bias,
                        before[0])};
  }
};

struct Kind {
  using Cell = GRUCell;
  using State = Tensor;
  using Recurrence = GRURecurrence;
  static Tensors flat(const Tensor& h) { return {h}; }
  static Tensor state(const Tensor& stacked) { return stacked[0]; }
  static Tensor hidden_bias(const GRUCell& cell) {
    return cell.bias_hn.defined() ? cell.bias_hn : zeros({cell.hidden()}, cell.weight_hh.dtype());
  }
  static void remove_biases(GRUCell& cell) { cell.bias = cell.bias_hn = {}; }
};

}  // namespace

GRUCell::GRUCell(int64_t in, int64_t hidden, Generator& generator) {
  recurrent::initialise<Kind>(*this, in, hidden, generator);
  bias_hn = uniform({hidden}, 1 / std::sqrt(static_cast<double>(hidden)), generator).require_grad();
}

Tensor GRUCell::operator()(const Tensor& x, const Tensor& before) const {
  const Scope scope(this);
  return recurrent::step_of<Kind>(*this, x, before);
}
Tensor GRUCell::project(const Tensor& x) const {
  const Scope scope(this);
  return recurrent::project<Kind>(*this, x);
}
Tensor GRUCell::step(const Tensor& projected, const Tensor& before) const {
  const Scope scope(this);
  return recurrent::step<Kind>(*this, projected, before);
}
GRUSteps GRUCell::steps(const Tensor& projected, const Tensor& before) const {
  const Scope scope(this);
  return recurrent::steps<Kind>(*this, projected, before);
}
Tensor GRUCell::initial(int64_t batch) const { return zeros({batch, hidden()}, weight_hh.dtype()); }

GRU::GRU(int64_t in, int64_t hidden, Generator& generator, RecurrentOptions options)
    : dropout(options.dropout) {
  recurrent::make_layers<Kind>(forward, backward, in, hidden, options,
                               [&](int64_t size) { return GRUCell(size, hidden, generator); });
}

GRUOutput GRU::operator()(const Tensor& x, const Mask& mask, Generator* generator) const {
  return recurrent::over_sequences<Kind>(*this, x, {}, mask, generator);
}
GRUOutput GRU::operator()(const Tensor& x, const std::vector<Tensor>& initial, const Mask& mask,
                          Generator* generator) const {
  return recurrent::over_sequences<Kind>(*this, x, initial, mask, generator);
}

}  // namespace gradus
