#include "examples/step/outline.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/core.h"
#include "core/files/safetensors.h"
#include "tests/files.h"

using namespace gradus;
using step::Group;
using step::Outline;

namespace {

struct Place {
  const char* path;
  int time;
};

/// The trace of a chain of steps, each in the layer and time step that is wanted.
Trace chain(const std::vector<Place>& places) {
  Trace trace;
  Tensor y = tensor({1.0, 2.0}).require_grad();
  {
    const auto recording = trace.record();
    for (size_t i = 0; i < places.size(); ++i) y = tanh(y);
  }
  const testing::Folder folder;
  const std::string path = folder / "f";
  trace.save(path);
  TensorFile file = load_tensors(path);
  auto nodes = nlohmann::json::parse(file.metadata.at("nodes"));
  for (size_t i = 0; i < places.size(); ++i) {
    nodes[i + 1]["path"] = places[i].path;
    nodes[i + 1]["time"] = places[i].time;
  }
  file.metadata["nodes"] = nodes.dump();
  save_tensors(path, file);
  return Trace::load(path);
}

/// "encoder(1 t = 0 … 1(t = 0(2) t = 1(3)))"
std::string text(const Outline& outline, int group = 0) {
  std::string result;
  for (const step::Part& part : outline.groups[static_cast<size_t>(group)].parts) {
    if (!result.empty()) result += ' ';
    result += part.is_group ? outline.groups[static_cast<size_t>(part.number)].name + "(" +
                                  text(outline, part.number) + ")"
                            : std::to_string(part.number);
  }
  return result;
}

}  // namespace

TEST_CASE("an outline follows the layers, and within a layer its time steps") {
  CHECK(text(Outline(chain({{"a.b", -1}, {"a.c", -1}, {"", -1}, {"a.b", -1}}))) ==
        "a(b(0 1 4) c(2)) 3");
  CHECK(text(Outline(chain({{"cell", 0}, {"cell", 0}, {"cell", 1}}))) ==
        "cell(t = 0(0 1 2) t = 1(3))");
}

TEST_CASE(
    "a loop over time that runs through several layers shows its steps, and in them the layers") {
  CHECK(text(Outline(chain({{"encoder", 0},
                            {"encoder", 1},
                            {"decoder", 0},
                            {"", 0},
                            {"decoder", 1},
                            {"", 1},
                            {"output", -1}}))) ==
        "encoder(t = 0(0 1) t = 1(2)) t = 0 … 1(t = 0(decoder(3) 4) t = 1(decoder(5) 6)) "
        "output(7)");
}

TEST_CASE("a loop backwards in time is shown in the order in which it ran") {
  CHECK(text(Outline(chain({{"", -1}, {"", 2}, {"", 1}, {"", 0}}))) ==
        "0 1 t = 2 … 0(t = 2(2) t = 1(3) t = 0(4))");
}

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
