#include "layers/dense.h"

#include <fmt/format.h>

#include <cmath>

#include "core/autograd/scope.h"
#include "core/ops/matmul.h"
#include "core/tensor/error.h"
#include "layers/initialise.h"

namespace gradus {

Dense::Dense(int64_t in, int64_t out, Generator& generator, DenseOptions options) {
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  weight = uniform({out, in}, bound, generator).require_grad();
  if (options.bias) bias = uniform({out}, bound, generator).require_grad();
}

Tensor Dense::operator()(const Tensor& x) const {
  const Scope scope(this);
  const int64_t in = weight.size(1);
  if (x.rank() < 1 || x.shape().back() != in)
    throw Error(fmt::format("dense: wants x (…, {}) for a weight {}, was given {}", in,
                            weight.description(), x.description()));
  return linear(x, weight, bias);
}

}  // namespace gradus
