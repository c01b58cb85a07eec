#include <algorithm>

#include "core/core.h"
#include "examples/step/session.h"
#include "layers/recurrent/lstm.h"
#include "tests/step/answers.h"

using namespace gradus;
using namespace gradus::step;

TEST_CASE("the doctor finds nothing wrong with a sound model") {
  const std::string text = answer({"doctor"});
  check_contains(text, "log scale: ▁ 1 to █ 1; · is 0\n");
  check_contains(text, "✓ NaN, ∞          none\n");
  check_contains(text, "✓ dead paths      none: every gradient goes on\n");
  check_contains(text, "✓ unreached       none: every parameter gets a gradient\n");
  check_contains(text, "✓ rules           5 agree with differences\n");
}

TEST_CASE("the doctor shows every layer and time step, and how gradients vanish") {
  Session session(lstm_cell());
  const std::string text = answer(session, {"doctor"});
  CHECK(std::ranges::count(text, '\n') < 24);
  check_contains(text, "cell");
  Session wide(lstm_cell(), {.width = 40});
  const std::string narrow = answer(wide, {"doctor"});
  CHECK(narrow.find("rules") != narrow.npos);
}

TEST_CASE("the doctor names where NaN begins, dead paths, unreached parameters and wrong rules") {
  const Tensor x = parameter("x", tensor({-1, -2})), unused = parameter("unused", tensor({3}));
  const Tensor zero = parameter("zero", tensor({0}));
  Trace trace;
  {
    const auto recording = trace.record();
    const Tensor dead = relu(x);
    const Tensor wrong = record(
        "wrong", (zero * 2).detach(), {zero},
        [](const Backward& b) { return std::vector<Gradient>{b.gradient}; },
        [](const std::vector<Tensor>& in) { return in[0] * 2; });
    unused * 2;
    (sum(dead) + sum(log(wrong))).backward();
  }
  Session session(std::move(trace));
  const std::string text = answer(session, {"doctor"});
  check_contains(text, "✗ NaN, ∞          begins at log ");
  check_contains(text, "(backward)");
  check_contains(text, "✗ dead paths      only zeros go on from relu");
  check_contains(text, "✗ unreached       no gradient, or only zeros: ");
  check_contains(text, "unused");
  check_contains(text, "✗ rules           wrong: wrong ");
}

TEST_CASE("a fused op is opened in place, looked at, and closed again") {
  Session session(dense_layer());
  check_contains(answer(session, {"out"}), "nothing is open");
  const std::string before = answer(session, {"breakpoint op log", "go softmax", "where"});
  const std::string parts = answer(session, {"into"});
  check_contains(parts, "inside softmax 4: ");
  check_contains(parts, "exp");
  check_contains(parts, "divide");
  check_contains(answer(session, {"check all"}), "0 one that does not");
  check_contains(answer(session, {"until op divide"}), "y = a / b");
  check_contains(answer(session, {"breakpoint"}), "no breakpoint is set");
  check_contains(answer(session, {"print x.g"}), "gradient of x");
  check_contains(answer(session, {"into x"}), "is not an op");
  check_contains(answer(session, {"set x = 0", "print divide"}), "0.3333");
  const std::string closed = answer(session, {"out"});
  check_contains(closed, "softmax 4 is closed");
  check_contains(closed, "  y      norm ");
  check_contains(closed, "  dL/dx  norm ");
  CHECK(answer(session, {"where"}) == before);
  check_contains(answer(session, {"breakpoint"}), "op log");
  check_contains(answer(session, {"into linear 3"}), "matmul");
}

TEST_CASE("an LSTM is opened down to its functions, layer by layer") {
  Generator generator(1);
  Trace trace;
  {
    const auto recording = trace.record();
    sum(LSTM(2, 2, generator)(ones({1, 3, 2})).output).backward();
  }
  Session session(std::move(trace));
  check_contains(answer(session, {"into lstm"}), "sigmoid");
  check_contains(answer(session, {"into linear"}), "may be linear");
  check_contains(answer(session, {"until op linear", "into"}), "matmul");
  check_contains(answer(session, {"out"}), "linear");
  check_contains(answer(session, {"out"}), "lstm");
  check_contains(answer(session, {"out"}), "nothing is open");
}
