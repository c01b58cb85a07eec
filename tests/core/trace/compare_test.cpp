#include "core/trace/compare.h"

#include <doctest/doctest.h>

#include "core/core.h"
#include "tests/core/trace/recorded.h"

using namespace gradus;
using testing::recorded;

namespace {

/// The pairs of nodes, as "tanh 4 ~ tanh 6" where they do not have the same number.
std::vector<std::string> moved(const Trace& a, const Trace& b) {
  std::vector<std::string> result;
  const std::vector<int> partners = align(a, b);
  for (int n = 0; n < a.size(); ++n)
    if (partners[static_cast<size_t>(n)] != n)
      result.push_back(a.description(n) + " ~ " +
                       (partners[static_cast<size_t>(n)] < 0
                            ? "nothing"
                            : b.description(partners[static_cast<size_t>(n)])));
  return result;
}

/// ((x + 1) · 2 + 3) · 4, with `+ 5` put in after so many of the ops.
Trace chain(int put_in_after) {
  const Tensor x = tensor({1.}).require_grad();
  return recorded([&] {
    Tensor y = x;
    for (int i = 0; i < 4; ++i) {
      if (i == put_in_after) y = y + 5;
      y = i % 2 == 0 ? y + (i + 1) : y * (i + 1);
    }
    y.backward(ones({1}));
  });
}

}  // namespace

TEST_CASE("an op that was put in shifts neither the ops nor the constants after it") {
  const Trace before = chain(-1), after = chain(2);
  CHECK(moved(before, after) == std::vector<std::string>{"constant, node 5 ~ constant, node 7",
                                                         "add, node 6 ~ add, node 8",
                                                         "constant, node 7 ~ constant, node 9",
                                                         "multiply, node 8 ~ multiply, node 10"});
  CHECK(moved(after, before).size() == 6);  // two of them, those of `+ 5`, with nothing
}

TEST_CASE("what only one trace has is told, and nothing else where values stay") {
  const Tensor x = tensor({1.}).require_grad();
  const Trace a = recorded([&] { sum(tanh(x) * 2); }),
              b = recorded([&] { sum((tanh(x) + 0) * 2); });
  const auto differences = compare(a, b);
  REQUIRE(differences.size() == 2);
  for (const Difference& d : differences) CHECK(d.what == Difference::What::only_in_b);
}

TEST_CASE("ops in another order are paired by name and layer all the same") {
  const Tensor x = tensor({1.}).require_grad();
  const Trace a = recorded([&] { tanh(x), exp(x), sigmoid(x); });
  const Trace b = recorded([&] { sigmoid(x), tanh(x), exp(x); });
  const std::vector<int> partners = align(a, b);
  for (int n = 0; n < a.size(); ++n)
    CHECK(a.node(n).op == b.node(partners[static_cast<size_t>(n)]).op);
}

TEST_CASE("traces that have nothing in common are compared in time") {
  const Tensor x = tensor({1.}).require_grad();
  const auto chain_of = [&](auto op) {
    return recorded([&] {
      Tensor y = x;
      for (int i = 0; i < 6000; ++i) y = op(y);
    });
  };
  const Trace a = chain_of([](const Tensor& y) { return tanh(y); });
  const Trace b = chain_of([](const Tensor& y) { return sigmoid(y); });
  CHECK(compare(a, b).size() == 12'002);  // and the parameters, which nothing identifies
}
