#include "layers/transformer/transformer.h"

#include <fmt/format.h>

#include <cmath>

#include "core/functions/dropout.h"
#include "core/functions/mask.h"
#include "core/ops/movement.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"
#include "core/tensor/scope.h"
#include "layers/attention/tiled_attention.h"
#include "layers/attention/unseen.h"

namespace gradus {

namespace {

FeedForward feed_forward_of(int64_t size, const TransformerOptions& options, Generator& generator) {
  if (options.feed_forward < 0)
    throw Error(fmt::format("transformer: expected a hidden layer of at least 0, got {}",
                            options.feed_forward));
  return {size,
          options.feed_forward > 0 ? options.feed_forward : 4 * size,
          generator,
          options.dropout,
          options.activation,
          {.bias = options.bias}};
}

LayerNorm norm_of(int64_t size, const TransformerOptions& options) {
  return {{size}, {.bias = options.bias}};
}

MultiHeadAttention attention_of(int64_t size, int64_t heads, const TransformerOptions& options,
                                Generator& generator) {
  return {size,
          heads,
          generator,
          {.bias = options.bias, .attend = ScaledDotAttention{options.dropout}}};
}

/// Long sequences are attended to in tiles, unless weights are dropped.
MultiHeadAttention encoder_attention(int64_t size, int64_t heads, const TransformerOptions& options,
                                     Generator& generator) {
  constexpr int64_t long_sequence = 512;
  const ScaledDotAttention whole{options.dropout};
  return {size,
          heads,
          generator,
          {.bias = options.bias,
           .attend = [whole](const Tensor& q, const Tensor& k, const Tensor& v, const Mask& mask,
                             Generator* generator) {
             if (k.size(-2) <= long_sequence || (generator && whole.dropout > 0))
               return whole(q, k, v, mask, generator);
             return TiledAttention{}(q, k, v, mask);
           }}};
}

/// x + f(x), normalised before or after.
template <class F>
Tensor sublayer(const Tensor& x, const LayerNorm& norm, const TransformerOptions& options,
                Generator* generator, F f) {
  if (options.norm_first) return x + dropout(f(norm(x)), options.dropout, generator);
  return norm(x + dropout(f(x), options.dropout, generator));
}

}  // namespace

Tensor sinusoidal_positions(int64_t time, int64_t size, int64_t first, DType dtype) {
  Tensor positions = zeros({time, size}, DType::float64);
  double* value = positions.mutable_data<double>();
  for (int64_t p = first; p < first + time; ++p)
    for (int64_t n = 0; n < size; ++n) {
      const double exponent = static_cast<double>(n - n % 2) / static_cast<double>(size);
      const double angle = static_cast<double>(p) / std::pow(10000.0, exponent);
      *value++ = n % 2 == 0 ? std::sin(angle) : std::cos(angle);
    }
  return cast(positions, dtype);
}

TransformerEncoderLayer::TransformerEncoderLayer(int64_t size, int64_t heads, Generator& generator,
                                                 TransformerOptions options)
    : options(options),
      attention(encoder_attention(size, heads, options, generator)),
      feed_forward(feed_forward_of(size, options, generator)),
      attention_norm(norm_of(size, options)),
      feed_forward_norm(norm_of(size, options)) {}

Tensor TransformerEncoderLayer::operator()(const Tensor& given, const Mask& mask,
                                           Generator* generator) const {
  const Scope scope(this);
  const Tensor x = seen_keys(given, mask);
  const Tensor y = sublayer(x, attention_norm, options, generator, [&](const Tensor& x) {
    return attention(x, x, x, mask, generator).output;
  });
  return sublayer(y, feed_forward_norm, options, generator,
                  [&](const Tensor& y) { return feed_forward(y, generator); });
}

TransformerDecoderLayer::TransformerDecoderLayer(int64_t size, int64_t heads, Generator& generator,
                                                 TransformerOptions options)
    : options(options),
      attention(attention_of(size, heads, options, generator)),
      cross(attention_of(size, heads, options, generator)),
      feed_forward(feed_forward_of(size, options, generator)),
      attention_norm(norm_of(size, options)),
      cross_norm(norm_of(size, options)),
      feed_forward_norm(norm_of(size, options)) {}

KeyValues TransformerDecoderLayer::prepare(const Tensor& given, const Mask& mask) const {
  const Scope scope(this);
  const Tensor x = seen_keys(given, mask);
  const Tensor seen = options.norm_first ? attention_norm(x) : x;
  return attention.prepare(seen, seen);
}

AttentionOutput TransformerDecoderLayer::operator()(const Tensor& given, const KeyValues& past,
                                                    const Mask& past_mask, const KeyValues& memory,
                                                    const Mask& memory_mask,
                                                    Generator* generator) const {
  const Scope scope(this);
  // In training the queries are the positions of the keys.
  const bool is_whole = past.keys.rank() > 2 && past.keys.size(-2) == given.size(-2);
  const Tensor x = is_whole ? seen_keys(given, past_mask) : given;
  const Tensor y = sublayer(x, attention_norm, options, generator, [&](const Tensor& x) {
    return attention.attend(x, past, past_mask, generator).output;
  });
  Tensor weights;
  const Tensor z = sublayer(y, cross_norm, options, generator, [&](const Tensor& y) {
    const AttentionOutput looked_back = cross.attend(y, memory, memory_mask, generator);
    weights = looked_back.weights;
    return looked_back.output;
  });
  return {sublayer(z, feed_forward_norm, options, generator,
                   [&](const Tensor& z) { return feed_forward(z, generator); }),
          weights};
}

}  // namespace gradus
