#include <fmt/core.h>

#include <cmath>

#include "core/autograd/fused.h"
#include "core/functions/statistics.h"
#include "core/tensor/threads.h"
#include "layers/check/check.h"
#include "layers/layers.h"

using namespace gradus;

// --- an activation ------------------------------------------------------------------------------

const Pointwise mish{"mish", [](Expr x) { return x * tanh(softplus(x)); }};

// --- a layer ------------------------------------------------------------------------------------

struct Highway {
  Dense transform, gate;
  void parameters(auto&& visit) { visit("transform", transform), visit("gate", gate); }

  Tensor operator()(const Tensor& x) const {
    const Tensor t = sigmoid(gate(x));
    return t * mish(transform(x)) + (1 - t) * x;
  }
};

// --- a layer with state -------------------------------------------------------------------------

struct Standardise {
  explicit Standardise(int64_t size) : mean(zeros({size})), variance(ones({size})) {}

  Tensor operator()(const Tensor& x) {
    const int64_t size = mean.size(0);
    if (x.rank() < 1 || x.size(-1) != size)
      throw Error(fmt::format("standardise: expected (…, {}), got {}", size, x.description()));
    const Tensor y = (x - mean) / sqrt(variance + 1e-5);
    const Tensor rows = reshape(contiguous(x.detach()), {-1, size});
    mean = mean * 0.9 + gradus::mean(rows, {0}) * 0.1;
    variance = variance * 0.9 + var(rows, {0}, false, 0) * 0.1;
    return y;
  }

  Tensor mean, variance;  ///< of what it has seen so far; not trained, but kept in files

  void parameters(auto&& visit) { visit("mean", mean), visit("variance", variance); }
};

// --- a fused op with its own gradient rule ------------------------------------------------------

/// yᵢ = xᵢ · r over the last axis, where r = 1 / √(Σ xᵢ² / n + ε): Zhang & Sennrich 2019, eq. 4.
/// dL/dx = r · (g − y · Σ gᵢ yᵢ / n).
Tensor rms_norm(const Tensor& x, double epsilon = 1e-6) {
  if (x.rank() < 1) throw Error("rms_norm: expected at least one axis, got a scalar");
  auto composed = [epsilon](const std::vector<Tensor>& x) {
    return x[0] / sqrt(mean(x[0] * x[0], {-1}, keepdims) + epsilon);
  };
  auto rule = [epsilon](const Backward& b) {
    const Tensor &x = b.input(0), &y = b.output();
    const Tensor r = 1 / sqrt(mean(x * x, {-1}, keepdims) + epsilon);
    return std::vector<Gradient>{r * (b.gradient - y * mean(b.gradient * y, {-1}, keepdims))};
  };
  auto one_pass = [epsilon](const std::vector<Tensor>& inputs) {
    const Tensor& x = inputs[0];
    Tensor y = Tensor::uninitialised(x.shape(), x.dtype());
    y.assign(x);
    dispatch_float("rms_norm", x.dtype(), [&](auto element) {
      auto* values = y.mutable_data<decltype(element)>();
      const int64_t n = x.shape().back(), rows = n == 0 ? 0 : x.numel() / n;
      parallel_for(rows, 1024, [&](int64_t begin, int64_t end) {
        for (auto* row = values + begin * n; row != values + end * n; row += n) {
          double squares = 0;
          for (int64_t i = 0; i < n; ++i) squares += static_cast<double>(row[i]) * row[i];
          const double r = 1 / std::sqrt(squares / static_cast<double>(n) + epsilon);
          for (int64_t i = 0; i < n; ++i) row[i] = static_cast<decltype(element)>(row[i] * r);
        }
      });
    });
    return y;
  };
  return fused({"rms_norm", "x / √(Σ x² / n + ε)", {{"r · (g − y · Σ g · y / n)", reads("xy")}}},
               {x}, one_pass, rule, composed, [=] {
                 return Attributes{{"epsilon", epsilon}};
               });
}

// --- the same rule with a slip in it ------------------------------------------------------------

Tensor square(const Tensor& x) {
  return record("square", x.detach() * x.detach(), {x},
                [](const Backward& b) { return std::vector<Gradient>{b.gradient * b.input(0)}; });
}

int main() {
  fmt::print("mish(x)    {}\ndL/dx      {}\n\n", mish.formula(), mish.derivative(0));

  Generator generator(1);
  const Tensor x = random_normal({2, 4, 3}, 0, 1, generator);
  const Highway highway{Dense(3, 3, generator), Dense(3, 3, generator)};
  fmt::print("{}\n", check_layer(mish, x).text());
  fmt::print("{}\n", check_layer(highway, x).text());
  fmt::print("{}\n", check_layer(Standardise(3), x).text());

  auto composed = [&] {
    const NoFusion of_other_ops;
    return rms_norm(x);
  };
  const double difference = max(abs(rms_norm(x) - composed())).item();
  fmt::print("rms_norm is its composition: {}\n", difference < 1e-6);
  fmt::print("{}\n", check_layer([](const Tensor& x) { return rms_norm(x); }, x).text());

  fmt::print("{}", check_layer(square, x).text());
}
