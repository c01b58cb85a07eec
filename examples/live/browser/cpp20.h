#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <ranges>

/// What the standard library of Debian 12's emscripten lacks of C++20, as far as this project uses
/// it, in terms of what it has. The build for the browser includes it before everything else.
namespace std {

template <class To, class From>
To bit_cast(const From& from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

template <class Array, class Allocator>
shared_ptr<Array> allocate_shared_for_overwrite(const Allocator&, size_t count) {
  return shared_ptr<Array>(new remove_extent_t<Array>[count]);
}

namespace ranges {

template <class R, class F, class P = identity>
auto find_if(R&& r, F f, P p = {}) {
  return std::find_if(begin(r), end(r), [&](auto&& x) { return invoke(f, invoke(p, x)); });
}
template <class R, class F, class P = identity>
auto find_if_not(R&& r, F f, P p = {}) {
  return find_if(
      r, [&](auto&& x) { return !invoke(f, x); }, p);
}
template <class R, class T, class P = identity>
auto find(R&& r, const T& value, P p = {}) {
  return find_if(
      r, [&](auto&& x) { return x == value; }, p);
}
template <class R, class F, class P = identity>
bool any_of(R&& r, F f, P p = {}) {
  return find_if(r, f, p) != end(r);
}
template <class R, class F, class P = identity>
bool none_of(R&& r, F f, P p = {}) {
  return !any_of(r, f, p);
}
template <class R, class F, class P = identity>
bool all_of(R&& r, F f, P p = {}) {
  return find_if_not(r, f, p) == end(r);
}
template <class R, class F, class P = identity>
auto count_if(R&& r, F f, P p = {}) {
  return std::count_if(begin(r), end(r), [&](auto&& x) { return invoke(f, invoke(p, x)); });
}
template <class R, class T, class P = identity>
auto count(R&& r, const T& value, P p = {}) {
  return count_if(
      r, [&](auto&& x) { return x == value; }, p);
}

template <class F, class P>
auto projected_order(F& less, P& p) {
  return [&](auto&& a, auto&& b) { return invoke(less, invoke(p, a), invoke(p, b)); };
}
template <class R, class F = std::less<>, class P = identity>
void sort(R&& r, F less = {}, P p = {}) {
  std::sort(begin(r), end(r), projected_order(less, p));
}
template <class R, class F = std::less<>, class P = identity>
void stable_sort(R&& r, F less = {}, P p = {}) {
  std::stable_sort(begin(r), end(r), projected_order(less, p));
}
template <class R, class F = std::less<>, class P = identity>
auto max_element(R&& r, F less = {}, P p = {}) {
  return std::max_element(begin(r), end(r), projected_order(less, p));
}
template <class R, class F = std::less<>, class P = identity>
auto min_element(R&& r, F less = {}, P p = {}) {
  return std::min_element(begin(r), end(r), projected_order(less, p));
}
template <range R>
auto max(const R& r) {
  return *std::max_element(begin(r), end(r));
}
template <range R>
auto min(const R& r) {
  return *std::min_element(begin(r), end(r));
}
template <class T>
struct minmax_result {
  T min, max;
};
template <range R>
auto minmax(const R& r) {
  return minmax_result<range_value_t<R>>{min(r), max(r)};
}
template <class R, class T>
bool binary_search(const R& r, const T& value) {
  return std::binary_search(begin(r), end(r), value);
}
template <class R, class T, class F, class P>
auto upper_bound(R&& r, const T& value, F less, P p) {
  return std::upper_bound(begin(r), end(r), value,
                          [&](const T& v, auto&& x) { return invoke(less, v, invoke(p, x)); });
}

template <class R, class T>
void fill(R&& r, const T& value) {
  std::fill(begin(r), end(r), value);
}
template <class R, class Out>
auto copy(const R& r, Out out) {
  return std::copy(begin(r), end(r), out);
}
template <class R, class T>
void replace(R&& r, const T& from, const T& to) {
  std::replace(begin(r), end(r), from, to);
}
template <class R, class F, class T>
void replace_if(R&& r, F f, const T& to) {
  std::replace_if(begin(r), end(r), f, to);
}
template <class A, class B, class Out, class F>
auto transform(const A& a, const B& b, Out out, F f) {
  return std::transform(begin(a), end(a), begin(b), out, f);
}
template <class A, class B, class F = std::equal_to<>, class P = identity, class Q = identity>
bool equal(const A& a, const B& b, F f = {}, P p = {}, Q q = {}) {
  return std::equal(begin(a), end(a), begin(b), end(b),
                    [&](auto&& x, auto&& y) { return invoke(f, invoke(p, x), invoke(q, y)); });
}

template <class A, class B>
auto mismatch(const A& a, const B& b) {
  return std::mismatch(begin(a), end(a), begin(b), end(b));
}

}  // namespace ranges
}  // namespace std
