#include "core/kernels/integer_functions.h"

#include <array>
#include <cstddef>

namespace gradus {

namespace {

using simd::Elementwise;

/// Signed overflow is undefined in C++; unsigned arithmetic wraps around.
int64_t wrapped(uint64_t x) { return static_cast<int64_t>(x); }
uint64_t bits(int64_t x) { return static_cast<uint64_t>(x); }

int64_t add(int64_t a, int64_t b) { return wrapped(bits(a) + bits(b)); }
int64_t subtract(int64_t a, int64_t b) { return wrapped(bits(a) - bits(b)); }
int64_t multiply(int64_t a, int64_t b) { return wrapped(bits(a) * bits(b)); }
int64_t negate(int64_t a) { return wrapped(-bits(a)); }
int64_t greater(int64_t a, int64_t b) { return a > b; }
int64_t greater_equal(int64_t a, int64_t b) { return a >= b; }
int64_t equal(int64_t a, int64_t b) { return a == b; }
int64_t where(int64_t condition, int64_t a, int64_t b) { return condition != 0 ? a : b; }
int64_t relu(int64_t a) { return a < 0 ? 0 : a; }
int64_t absolute(int64_t a) { return a < 0 ? negate(a) : a; }
int64_t maximum(int64_t a, int64_t b) { return a > b ? a : b; }
int64_t minimum(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t same(int64_t a) { return a; }
int64_t floor_divide(int64_t a, int64_t b) {
  if (b == 0 || b == -1) return b == 0 ? 0 : negate(a);
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}
int64_t remainder(int64_t a, int64_t b) {
  if (b == 0 || b == -1) return 0;
  return a % b + (a % b != 0 && (a < 0) != (b < 0) ? b : 0);
}
int64_t sign(int64_t a) { return (a > 0) - (a < 0); }

template <int64_t (*f)(int64_t)>
void map(const int64_t* a, const int64_t*, const int64_t*, int64_t* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = f(a[i]);
}
template <int64_t (*f)(int64_t, int64_t)>
void map(const int64_t* a, const int64_t* b, const int64_t*, int64_t* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], b[i]);
}
template <int64_t (*f)(int64_t, int64_t, int64_t)>
void map(const int64_t* a, const int64_t* b, const int64_t* c, int64_t* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], b[i], c[i]);
}

constexpr auto make_table() {
  std::array<Elementwise<int64_t>, simd::Functions::size> table{};
  auto set = [&](const char* name, Elementwise<int64_t> f) {
    table[static_cast<size_t>(simd::index_of(name))] = f;
  };
  set("add", map<add>);
  set("subtract", map<subtract>);
  set("multiply", map<multiply>);
  set("negate", map<negate>);
  set("greater", map<greater>);
  set("greater_equal", map<greater_equal>);
  set("equal", map<equal>);
  set("where", map<where>);
  set("relu", map<relu>);
  set("abs", map<absolute>);
  set("maximum", map<maximum>);
  set("minimum", map<minimum>);
  set("floor_divide", map<floor_divide>);
  set("remainder", map<remainder>);
  set("floor", map<same>);
  set("ceil", map<same>);
  set("round", map<same>);
  set("sign", map<sign>);
  return table;
}

}  // namespace

const Elementwise<int64_t>* integer_functions() {
  static constexpr auto table = make_table();
  return table.data();
}

}  // namespace gradus
