#include "layers/initialise.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "core/tensor/error.h"

namespace gradus {

namespace {

struct Fans {
  double in, out;
};

Fans fans(const char* op, const Shape& shape) {
  if (shape.rank() < 2)
    throw Error(
        fmt::format("{}: expected the shape (out, in, …) of a weight, got {}", op, shape.text()));
  double field = 1;
  for (int axis = 2; axis < shape.rank(); ++axis) field *= static_cast<double>(shape[axis]);
  return {static_cast<double>(shape[1]) * field, static_cast<double>(shape[0]) * field};
}

}  // namespace

Tensor uniform(const Shape& shape, double bound, Generator& generator) {
  return random_uniform(shape, -bound, bound, generator);
}

Tensor xavier_uniform(const Shape& shape, Generator& generator, double gain) {
  const auto [in, out] = fans("xavier_uniform", shape);
  return uniform(shape, gain * std::sqrt(6 / (in + out)), generator);
}

Tensor xavier_normal(const Shape& shape, Generator& generator, double gain) {
  const auto [in, out] = fans("xavier_normal", shape);
  return random_normal(shape, 0, gain * std::sqrt(2 / (in + out)), generator);
}

Tensor kaiming_uniform(const Shape& shape, Generator& generator, double gain) {
  return uniform(shape, gain * std::sqrt(3 / fans("kaiming_uniform", shape).in), generator);
}

Tensor orthogonal(const Shape& shape, Generator& generator, double gain) {
  fans("orthogonal", shape);
  const size_t rows = static_cast<size_t>(shape[0]);
  const size_t columns = rows == 0 ? 0 : static_cast<size_t>(shape.numel() / shape[0]);
  const size_t count = std::min(rows, columns), length = std::max(rows, columns);
  std::vector<std::vector<double>> basis;
  for (size_t i = 0; i < count; ++i) {
    std::vector<double> v(length);
    for (double& x : v) x = generator.normal();
    auto scale = [&](double factor) {
      for (double& x : v) x *= factor;
    };
    for (int pass = 0; pass < 2; ++pass)  // the second removes what rounding left
      for (const auto& q : basis) {
        const double along = std::inner_product(v.begin(), v.end(), q.begin(), 0.0);
        for (size_t k = 0; k < length; ++k) v[k] -= along * q[k];
      }
    scale(1 / std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0)));
    basis.push_back(std::move(v));
  }
  Tensor result = Tensor::uninitialised(shape, DType::float32);
  float* values = result.mutable_data<float>();
  for (size_t i = 0; i < rows; ++i)
    for (size_t j = 0; j < columns; ++j)
      values[i * columns + j] =
          static_cast<float>(gain * (rows <= columns ? basis[i][j] : basis[j][i]));
  return result;
}

}  // namespace gradus
