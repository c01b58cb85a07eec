#pragma once

#include <tuple>

#include "layers/parameters.h"

namespace gradus {

class Generator;

/// Layers and plain functions on tensors, one after the other:
///
///     Sequential model(Dense(4, 8, generator), silu, Dense(8, 1, generator));
///
/// Those that take the sequence lengths or the generator of dropout get them. Of a layer that gives
/// more than a tensor, as LSTM does, the member `output` goes on. Parameters are named by place:
/// "0.weight", "2.bias".
template <class... Layers>
struct Sequential {
  explicit Sequential(Layers... layers) : layers(std::move(layers)...) {}

  Tensor operator()(const Tensor& x, std::span<const int64_t> lengths = {},
                    Generator* generator = nullptr) const {
    return std::apply(
        [&](const Layers&... layer) {
          Tensor y = x;
          ((y = run(layer, y, lengths, generator)), ...);
          return y;
        },
        layers);
  }
  Tensor operator()(const Tensor& x, Generator* generator) const {
    return (*this)(x, {}, generator);
  }

  void parameters(auto&& visit) {
    [&]<size_t... i>(std::index_sequence<i...>) {
      (visit_layer(visit, std::to_string(i), std::get<i>(layers)), ...);
    }
    (std::index_sequence_for<Layers...>{});
  }

  std::tuple<Layers...> layers;

 private:
  using Lengths = std::span<const int64_t>;

  static Tensor tensor_of(const Tensor& result) { return result; }
  static Tensor tensor_of(const auto& result) { return result.output; }

  template <class L>
  static Tensor run(const L& layer, const Tensor& x, Lengths lengths, Generator* generator) {
    if constexpr (requires { layer(x, lengths, {}, generator); })
      return tensor_of(layer(x, lengths, {}, generator));  // an LSTM, from its zero state
    else if constexpr (requires { layer(x, lengths, generator); })
      return tensor_of(layer(x, lengths, generator));
    else if constexpr (requires { layer(x, lengths); })
      return tensor_of(layer(x, lengths));
    else if constexpr (requires { layer(x, generator); })
      return tensor_of(layer(x, generator));
    else
      return tensor_of(layer(x));
  }

  template <class L>
  static void visit_layer(auto& visit, const std::string& place, L& layer) {
    if constexpr (Layer<L>) visit(place, layer);
  }
};

}  // namespace gradus
