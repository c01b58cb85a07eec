#pragma once

#include <ranges>
#include <tuple>
#include <type_traits>

/// The tensors, masks, lengths and generators among a layer's arguments and in its result.
namespace gradus {

namespace detail {

struct Anything {
  template <class T>
  operator T() const;
};
template <class T, class... Field>
constexpr int field_count() {
  if constexpr (requires { T{Field{}..., Anything{}}; })
    return field_count<T, Field..., Anything>();
  else
    return sizeof...(Field);
}

}  // namespace detail

/// Calls f with every Tensor, Mask, list of lengths and Generator* in x: itself, in a range, in a
/// tuple, in a plain struct of up to four members.
template <class X, class F>
void for_each_part(X& x, F& f) {
  if constexpr (requires { f(x); }) {
    f(x);
  } else if constexpr (std::ranges::range<X>) {
    for (auto& part : x) for_each_part(part, f);
  } else if constexpr (requires { std::tuple_size<X>::value; }) {
    std::apply([&](auto&... part) { (for_each_part(part, f), ...); }, x);
  } else if constexpr (std::is_aggregate_v<X>) {
    constexpr int fields = detail::field_count<X>();
    if constexpr (fields == 1) {
      auto& [a] = x;
      for_each_part(a, f);
    } else if constexpr (fields == 2) {
      auto& [a, b] = x;
      for_each_part(a, f), for_each_part(b, f);
    } else if constexpr (fields == 3) {
      auto& [a, b, c] = x;
      for_each_part(a, f), for_each_part(b, f), for_each_part(c, f);
    } else if constexpr (fields == 4) {
      auto& [a, b, c, d] = x;
      for_each_part(a, f), for_each_part(b, f), for_each_part(c, f), for_each_part(d, f);
    }
  } else if constexpr (requires { *x, x.has_value(); }) {
    if (x) for_each_part(*x, f);
  }
}

/// Several lambdas as one function with overloads.
template <class... F>
struct Cases : F... {
  using F::operator()...;
};
template <class... F>
Cases(F...) -> Cases<F...>;

}  // namespace gradus
