#include "examples/step/outline.h"

#include <doctest/doctest.h>

#include "core/ops.h"

using namespace gradus;
using step::Group;
using step::Outline;

TEST_CASE("an outline holds every node once, in groups that are never long") {
  Trace trace;
  Tensor x = tensor({1.0, 2.0}).require_grad();
  {
    const auto recording = trace.record();
    Tensor y = x;
    for (int i = 0; i < 3000; ++i) y = tanh(y);
    sum(y).backward();
  }
  const Outline outline(trace);
  std::vector<int> seen(static_cast<size_t>(trace.size()), 0);
  for (size_t g = 0; g < outline.groups.size(); ++g) {
    CHECK(outline.groups[g].parts.size() <= 70);
    for (const step::Part& part : outline.groups[g].parts) {
      if (part.is_group) {
        CHECK(outline.groups[static_cast<size_t>(part.number)].parent == static_cast<int>(g));
      } else {
        ++seen[static_cast<size_t>(part.number)];
        CHECK(outline.group_of[static_cast<size_t>(part.number)] == static_cast<int>(g));
      }
    }
  }
  CHECK(seen == std::vector<int>(seen.size(), 1));
  CHECK(outline.common(1, 2) == 0);
  CHECK(outline.common(1, 1) == 1);
}

TEST_CASE("the outline of an empty trace is an empty group") {
  CHECK(Outline(Trace()).groups.size() == 1);
}
