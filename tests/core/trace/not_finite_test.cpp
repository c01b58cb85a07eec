#include "core/trace/not_finite.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/core.h"
#include "tests/core/trace/recorded.h"
#include "tests/files.h"

using namespace gradus;
using testing::recorded;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Where values break, then where gradients do: "log sum, sqrt".
std::string breaks(const Trace& trace) {
  std::string text;
  for (int n = 0; n < trace.size(); ++n)
    if (value_breaks(trace, n))
      text += trace.description(n).substr(0, trace.description(n).find(',')) + " ";
  text += "|";
  for (int n = trace.size(); n-- > 0;)
    if (gradient_breaks(trace, n))
      text += " " + trace.description(n).substr(0, trace.description(n).find(','));
  return text;
}

}  // namespace

TEST_CASE("a gradient that is not finite is reported at the op that made it") {
  const Tensor x = tensor({0, 1}).require_grad();
  const Trace trace = recorded([&] { sum(sqrt(x * 2) * 3).backward(); });
  CHECK(breaks(trace) == "| sqrt");
  const testing::Folder folder;
  trace.save(folder / "f");
  CHECK(breaks(Trace::load(folder / "f")) == "| sqrt");
}

TEST_CASE("a value that is not finite is reported at the op that made it") {
  const Tensor x = tensor({0, 1}).require_grad();
  CHECK(breaks(recorded([&] { sum(exp(log(x)) * 2); })) == "log |");
  CHECK(breaks(recorded([&] { sum(log(x) * x); })) == "log multiply |");  // −∞, then NaN
}

TEST_CASE("of what a pass begins with, NaN is reported, and infinities of parameters") {
  const auto product = [](double parameter, double constant) {
    const Tensor x = tensor({parameter}).require_grad();
    return breaks(recorded([&] { sum(x * tensor({constant})); }));
  };
  CHECK(product(1, std::nan("")) == "constant |");
  CHECK(product(1, infinity) == "|");
  CHECK(product(infinity, 1) == "parameter |");
}

TEST_CASE("a softmax that makes NaN of a row that is masked throughout is reported, not the mask") {
  const Tensor x = tensor({1, 2}).require_grad();
  const Tensor mask = tensor({-infinity, -infinity});
  const Trace trace = recorded([&] {
    const Tensor e = exp(x + mask);
    sum(e / sum(e)).backward();
  });
  CHECK(breaks(trace).starts_with("divide |"));
}

TEST_CASE("a sum of finite gradients that overflows is reported where they are added") {
  const Tensor x = tensor({1}).require_grad();
  const Trace trace = recorded([&] {
    const Tensor y = x * 1, large = tensor({3e38});
    sum(y * large).backward({}, true);
    sum(y * large).backward();
  });
  CHECK(breaks(trace) == "| multiply");
  const Trace seeded = recorded([&] { (x * 1).backward(tensor({std::nan("")})); });
  CHECK(breaks(seeded) == "| multiply");
}
