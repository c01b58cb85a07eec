#pragma once

#include <concepts>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/functions/mask.h"
#include "core/tensor/error.h"
#include "core/tensor/scope.h"
#include "core/tensor/tensor.h"
#include "layers/parameters.h"

namespace gradus {

class Generator;

namespace detail {

/// Converts to T and to nothing else: a Generator* would also convert to a bool.
template <class T>
struct Exactly {
  T value;
  template <std::same_as<T> U>
  operator U() const {
    return value;
  }
};
/// Converts to everything: what stands in the place of an argument that a layer takes before the
/// one that is looked for.
struct AnyArgument {
  template <class T>
  operator T() const;
};

/// How a layer can be called, with x first.
template <class L>
struct Calls {
  template <class... Arguments>
  static constexpr bool with = requires(const L& layer, const Tensor& x, Arguments... arguments) {
    layer(x, arguments...);
  };
  using M = Exactly<Mask>;
  using G = Exactly<Generator*>;
  using Lengths = Exactly<std::vector<int64_t>>;
  using Any = AnyArgument;

  static constexpr bool takes_generator = with<G> || with<M, G> || with<Lengths, G>;
  static constexpr bool takes_mask = with<M> || with<M, G>;
  static constexpr bool takes_lengths = with<Lengths> || with<Lengths, G>;
  static constexpr bool hides_generator =
      !takes_generator && (with<Any, G> || with<Any, Any, G> || with<Any, Any, Any, G>);
  static constexpr bool hides_mask =
      !takes_mask && (with<Any, M> || with<Any, Any, M> || with<Any, Any, Any, M>);
  static constexpr bool hides_lengths =
      !takes_lengths && (with<Any, Lengths> || with<Any, Any, Lengths>);
};

}  // namespace detail

/// Layers and plain functions on tensors, one after the other:
///
///     Sequential model(Dense(4, 8, generator), silu, Dense(8, 1, generator));
///
/// Each layer is called as layer(x), layer(x, mask), layer(x, generator) or layer(x, mask,
/// generator), with all that it takes; in the place of the mask it may take the mask's lengths, a
/// std::vector<int64_t>, empty without a mask. A layer that takes a mask or a generator in another
/// place does not compile. Of a layer that gives more than a tensor, as LSTM does, the member
/// `output` goes on. Parameters are named by place: "0.weight", "2.bias".
/// Throws Error when a layer takes lengths and the mask was not made of any, and for a function
/// that is empty: a std::function without one, or a null pointer.
template <class... Layers>
struct Sequential {
  explicit Sequential(Layers... layers) : layers(std::move(layers)...) {}

  Tensor operator()(const Tensor& x, const Mask& mask = {}, Generator* generator = nullptr) const {
    const Scope scope(this);
    return std::apply(
        [&](const Layers&... layer) {
          Tensor y = x;
          ((y = tensor_of(run(layer, y, mask, generator))), ...);
          return y;
        },
        layers);
  }
  Tensor operator()(const Tensor& x, Generator* generator) const {
    return (*this)(x, Mask(), generator);
  }

  void parameters(auto&& visit) {
    [&]<size_t... i>(std::index_sequence<i...>) {
      (visit_layer(visit, std::to_string(i), std::get<i>(layers)), ...);
    }
    (std::index_sequence_for<Layers...>{});
  }

  std::tuple<Layers...> layers;

 private:
  template <class R>
  static Tensor tensor_of(const R& result) {
    constexpr bool is_tensor = std::convertible_to<R, Tensor>;
    if constexpr (is_tensor) {
      return result;
    } else {
      static_assert(
          requires { Tensor(result.output); },
          "Sequential: a layer returns a Tensor, or something with a Tensor `output`");
      return result.output;
    }
  }

  template <class L>
  static auto run(const L& layer, const Tensor& x, const Mask& mask, Generator* generator) {
    using Calls = detail::Calls<L>;
    static_assert(
        !Calls::hides_generator,
        "Sequential: a layer that takes a Generator* is called as layer(x, generator) or "
        "layer(x, mask, generator); this one takes it in another place, so it would never "
        "drop out");
    static_assert(!Calls::hides_mask,
                  "Sequential: a layer that takes a Mask is called as layer(x, mask) or layer(x, "
                  "mask, generator); this one takes it in another place, so it would not see it");
    static_assert(!Calls::hides_lengths,
                  "Sequential: a layer that takes lengths is called as layer(x, lengths) or "
                  "layer(x, lengths, generator); this one takes them in another place, so it would "
                  "not see them");
    static_assert(Calls::template with<> || Calls::takes_generator || Calls::takes_mask ||
                      Calls::takes_lengths,
                  "Sequential: each layer is called with one tensor: layer(x), layer(x, mask), "
                  "layer(x, generator) or layer(x, mask, generator)");
    static_assert(!Calls::takes_mask || !Calls::takes_generator ||
                      Calls::template with<typename Calls::M, typename Calls::G>,
                  "Sequential: a layer that takes a Mask and a Generator* takes both at once: "
                  "layer(x, mask, generator)");
    static_assert(!Calls::takes_lengths || !Calls::takes_generator ||
                      Calls::template with<typename Calls::Lengths, typename Calls::G>,
                  "Sequential: a layer that takes lengths and a Generator* takes both at once: "
                  "layer(x, lengths, generator)");
    check_not_empty(layer);
    if constexpr (Calls::takes_mask && Calls::takes_generator)
      return layer(x, mask, generator);
    else if constexpr (Calls::takes_mask)
      return layer(x, mask);
    else if constexpr (Calls::takes_lengths && Calls::takes_generator)
      return layer(x, lengths_of(mask), generator);
    else if constexpr (Calls::takes_lengths)
      return layer(x, lengths_of(mask));
    else if constexpr (Calls::takes_generator)
      return layer(x, generator);
    else
      return layer(x);
  }

  template <class R, class... A>
  static void check_not_empty(const std::function<R(A...)>& f) {
    if (!f) throw Error("sequential: expected a function, got an empty std::function");
  }
  template <class R, class... A>
  static void check_not_empty(R (*const& f)(A...)) {
    if (!f) throw Error("sequential: expected a function, got a null pointer");
  }
  static void check_not_empty(const auto&) {}

  static std::vector<int64_t> lengths_of(const Mask& mask) {
    if (!mask.defined()) return {};
    if (mask.lengths().empty() && mask.shape()[0] > 0)
      throw Error(
          "sequential: expected a mask that was made of lengths, for a layer that takes lengths");
    return {mask.lengths().begin(), mask.lengths().end()};
  }

  template <class L>
  static void visit_layer(auto& visit, const std::string& place, L& layer) {
    if constexpr (Layer<L>) visit(place, layer);
  }
};

}  // namespace gradus
