// The kind: a trace's depth becomes the program's: its stack, or time and memory that double with
// every step.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "core/core.h"
#include "core/files/safetensors.h"
#include "core/tensor/error.h"
#include "core/trace/provenance.h"
#include "examples/step/outline.h"
#include "examples/step/page.h"
#include "examples/step/session.h"
#include "tests/files.h"

using namespace gradus;
using namespace gradus::step;
using nlohmann::json;
using testing::Folder;

namespace {

double seconds_of(auto&& f) {
  const std::clock_t start = std::clock();
  f();
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

Trace recorded(auto&& f) {
  Trace trace;
  const auto recording = trace.record();
  f();
  return trace;
}

/// A trace whose nodes were changed in its file.
Trace changed(const Trace& trace, auto&& change) {
  const Folder folder;
  trace.save(folder / "t");
  TensorFile file = load_tensors(folder / "t");
  json nodes = json::parse(file.metadata.at("nodes"));
  change(nodes);
  file.metadata["nodes"] = nodes.dump();
  save_tensors(folder / "t", file);
  return Trace::load(folder / "t");
}

size_t lines_in(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("a layer may lie 20,000 deep") {
  std::string path = "a";
  for (int i = 1; i < 20'000; ++i) path += ".a";
  const Trace trace = changed(recorded([] { sum(tanh(full({2}, 0.5).require_grad())).backward(); }),
                              [&](json& nodes) {
                                for (json& node : nodes) node["path"] = path;
                              });
  const double seconds = seconds_of([&] {
    const Folder folder;
    trace.save(folder / "t");
    Session deep(Trace::load(folder / "t"));
    CHECK(lines_in(deep.run("tree")) >= 20'000);
    CHECK_THROWS_AS(deep.run("tree b"), Error);
    deep.run("breakpoint layer a");
    CHECK(deep.completions("tree ").size() < 100);
    deep.run("next");
    write_page(deep.trace(), folder / "page.html");
    CHECK(testing::contents(folder / "page.html").size() > 40'000);
  });
  CHECK(seconds < 20);
}

TEST_CASE("a gradient is followed through 20,000 views") {
  Tensor x = full({2, 3}, 1.5).require_grad();
  const Trace trace = recorded([&] {
    Tensor y = x;
    for (int i = 0; i < 20'000; ++i) y = transpose(y, 0, 1);
    sum(y * y).backward();
  });
  const auto parts = provenance(trace, 0, 4);
  REQUIRE(parts.size() == 2);  // y stands on both sides of the product
  CHECK(parts[0].amount + parts[1].amount == doctest::Approx(3));
}

TEST_CASE("a graph in which every node is used twice is drawn once") {
  const Trace trace = recorded([] {
    Tensor y = full({}, 1e-3).require_grad();
    for (int i = 0; i < 60; ++i) y = y + y;
    y.backward();
  });
  const int last = trace.size() - 1;
  const Folder folder;
  trace.save(folder / "t");
  Session session(Trace::load(folder / "t"));
  const std::string inputs = session.run(fmt::format("graph {} 1000000000", last));
  CHECK(lines_in(inputs) == 2 * 60 + 1);
  CHECK(testing::contains(inputs, " · its inputs: below"));
  const std::string users = session.run("graph 0 1000000000");
  CHECK(lines_in(users) == 60 + 1);
  // To a depth at which nothing is cut short, each mention has its own branches.
  CHECK(lines_in(session.run(fmt::format("graph {} 2", last))) == 5);
}

TEST_CASE("a chain of 20,000 nodes is drawn to its end") {
  const Trace trace = recorded([] {
    Tensor y = full({}, 1e-3).require_grad();
    for (int i = 0; i < 20'000; ++i) y = tanh(y);
    y.backward();
  });
  const Folder folder;
  trace.save(folder / "t");
  Session session(Trace::load(folder / "t"));
  CHECK(lines_in(session.run("graph 20000 2147483647")) == 20'001);
  CHECK(lines_in(session.run("graph 0 2147483647")) == 20'001);
}

TEST_CASE("nodes nested 100,000 deep are refused") {
  const Folder folder;
  const std::string deep(100'000, '[');
  for (const std::string& nodes :
       {deep + std::string(100'000, ']'),
        "[{\"kind\":\"op\",\"inputs\":" + deep + "1" + std::string(100'000, ']') + "}]"}) {
    save_tensors(folder / "t", {{},
                                {{"format", "gradus trace"},
                                 {"version", "3"},
                                 {"tensors", "[]"},
                                 {"lines", "[]"},
                                 {"nodes", nodes}}});
    CHECK_THROWS_WITH_AS(Trace::load(folder / "t"),
                         doctest::Contains("\"nodes\" is nested too deeply"), Error);
  }
}

TEST_CASE("a trace of 20,000 nodes is opened in two seconds, and its page written in fifteen") {
  Trace trace;
  {
    const auto recording = trace.record();
    const Tensor x = full({2800, 4}, 0.1).require_grad(), w = full({4, 4}, 0.1).require_grad();
    Tensor h = full({4, 4}, 0.1);
    std::vector<Tensor> all;
    for (int i = 0; i < 3400; ++i) {
      h = tanh(matmul(h, w) + x[i % 2800]);
      all.push_back(h);
    }
    sum(stack(all, 0)).backward();
  }
  REQUIRE(trace.size() > 20'000);
  const Folder folder;
  trace.save(folder / "t");
  CHECK(std::filesystem::file_size(folder / "t") < 100'000'000);
  Trace loaded;
  CHECK(seconds_of([&] { loaded = Trace::load(folder / "t"); }) < 2);
  CHECK(seconds_of([&] { write_page(loaded, folder / "page.html"); }) < 15);
}

TEST_CASE("an outline of 8,000 nodes, each in a layer of its own, is made in time") {
  Trace trace = recorded([] {
    Tensor y = full({}, 1e-3).require_grad();
    for (int i = 0; i < 4'000; ++i) y = y + full({}, i);
    y.backward();
  });
  int number = 0;
  const Trace layered = changed(trace, [&](json& nodes) {
    for (json& node : nodes) node["path"] = std::to_string(number++);
  });
  CHECK(seconds_of([&] { Outline outline(layered); }) < 5);
}
