#pragma once

#include "core/tensor/random.h"

/// Initial values of parameters. Weights are (out, in, …), with fan_in = in and fan_out = out, both
/// multiplied by the sizes of further axes.
///
///     dense.weight.assign(xavier_uniform(dense.weight.shape(), generator));
namespace gradus {

/// U(−bound, bound).
Tensor uniform(const Shape& shape, double bound, Generator& generator);
/// U(±gain · √(6 / (fan_in + fan_out))): Glorot & Bengio 2010, equation 16.
Tensor xavier_uniform(const Shape& shape, Generator& generator, double gain = 1);
/// N(0, gain² · 2 / (fan_in + fan_out)): Glorot & Bengio 2010, equation 12.
Tensor xavier_normal(const Shape& shape, Generator& generator, double gain = 1);
/// U(±gain · √(3 / fan_in)), with gain √2 for relu: He et al. 2015, equation 10.
Tensor kaiming_uniform(const Shape& shape, Generator& generator, double gain = 1.4142135623730951);
/// gain · Q, where the rows of Q (or its columns, if they are fewer) are orthonormal: a random
/// Gaussian matrix, orthogonalised (Saxe, McClelland, Ganguli 2014, section 3).
Tensor orthogonal(const Shape& shape, Generator& generator, double gain = 1);

}  // namespace gradus
