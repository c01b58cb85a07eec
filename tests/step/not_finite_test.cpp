#include <cmath>
#include <limits>

#include "core/core.h"
#include "examples/step/session.h"
#include "tests/step/answers.h"

using namespace gradus;
using namespace gradus::step;

TEST_CASE("NaN and infinities are found where they begin, in either pass") {
  const Tensor x = parameter("x", tensor({-1, 1}));
  Trace trace;
  {
    const auto recording = trace.record();
    sum(sqrt(x)).backward();
  }
  Session session(std::move(trace));
  check_contains(answer(session, {"until nan"}), "forward · node 1 of 3 · sqrt");
  check_contains(answer(session, {"until nan and backward"}), "backward · node 1 of 3 · sqrt");

  const Tensor zero = parameter("zero", tensor({0, 1}));
  Trace backward;
  {
    const auto recording = backward.record();
    sum(sqrt(zero)).backward();
  }
  Session second(std::move(backward));
  check_contains(answer(second, {"breakpoint nan"}), "fires at 1 place: backward at node 1");
  check_contains(answer(second, {"go 1 backward"}), "  ! ∞ begins here\n");
}

TEST_CASE("NaN and infinity are shown as what they are") {
  Session session(scalar_expression(), {}, lessons());
  const std::string changed = answer(session, {"set weight = nan"});
  check_contains(changed, "2.674 → NaN\n");
  check_contains(changed, "gradient of weight  -3.902 → NaN\n");
  check_contains(answer(session, {"tree"}), "|y| NaN, |g| NaN");
  check_contains(answer(session, {"list 0 0"}), "weight  y NaN  g NaN");
  check_contains(answer(session, {"graph 8"}), "multiply = NaN");
  answer(session, {"open 2", "set dense.weight = ∞"});
  check_contains(answer(session, {"tree"}), "(3, 2) |y| ∞");
  check_contains(answer(session, {"list 1 1"}), "|y| ∞");
}

TEST_CASE("a NaN is neither above nor below a bound, and an infinity is above every one") {
  check_contains(answer({"set weight = nan", "breakpoint gradient < 0.000001"}), "never fires");
  check_contains(answer({"set weight = nan", "breakpoint value.min > -1 and op tanh"}),
                 "never fires");
  check_contains(answer({"set weight = inf", "breakpoint value.max > 1000000"}),
                 "fires at 3 places: forward at node 0, 2, 4\n");
}

TEST_CASE("a summary tells first what is not finite, then what the others are like") {
  Tensor x = zeros({3, 4});
  x.mutable_data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  x.mutable_data<float>()[1] = std::numeric_limits<float>::infinity();
  CHECK(brief(TraceTensor(x)) == "(3, 4) 1 NaN, 1 ±∞; the others: mean 0, norm 0, from 0 to 0");
  CHECK(brief(TraceTensor(full({3, 4}, std::nan("")))) == "(3, 4) 12 NaN");
}
