#include "core/trace/trace.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "core/trace/provenance.h"
#include "core/trace/verdict.h"
#include "layers/recurrent/lstm.h"
#include "tests/files.h"
#include "tests/translate/toy.h"

using namespace gradus;
using namespace gradus::testing;
using namespace gradus::translate;

namespace {

/// Sixteen pairs of the real corpus; made-up ones where it is absent.
std::vector<Pair> some_pairs() {
  const char* folder = std::getenv("GRADUS_DATA");
  const std::string path =
      (folder ? folder : std::string(GRADUS_TEST_DATA) + "/../../shared/data/cmn-eng") +
      "/train.tsv";
  std::vector<Pair> pairs = toy::pairs();
  if (std::filesystem::exists(path))
    pairs = read_pairs(path).pairs;
  else
    MESSAGE("made-up sentences: no ", path, "; set GRADUS_DATA to the folder that holds train.tsv");
  const size_t first = pairs.size() / 2;
  return {pairs.begin() + static_cast<ptrdiff_t>(first),
          pairs.begin() + static_cast<ptrdiff_t>(first) + 16};
}

Trace recorded_step(Trained& trained, const std::vector<Pair>& pairs) {
  const Batch batch = make_batch(encode(pairs, trained.source, trained.target));
  Trace trace;
  {
    const StepByStep one_by_one;
    const auto recording = trace.record(layer_names(trained.model));
    (trained.model.loss(batch) / static_cast<double>(batch.target_tokens)).backward();
  }
  return trace;
}

}  // namespace

TEST_CASE("every gradient rule of the translator's training step agrees, in the trace's file too") {
  const std::vector<Pair> pairs = some_pairs();
  Trained trained = toy::untrained(pairs, {.embedding = 128, .hidden = 256});
  Trace trace = recorded_step(trained, pairs);
  CHECK(check(trace).empty());

  const Folder folder;
  trace.save(folder / "step.trace");
  const Trace loaded = Trace::load(folder / "step.trace");
  REQUIRE(loaded.size() == trace.size());
  int judged = 0;
  for (int n = 0; n < loaded.size(); ++n) {
    const TraceNode& node = loaded.node(n);
    CAPTURE(loaded.description(n));
    if (!node.gradient.defined() || node.kind != TraceNode::Kind::op) continue;
    REQUIRE(node.verdict.has_value());
    CAPTURE(node.verdict->reason);
    CHECK(node.verdict->result == Verdict::Result::agrees);
    CHECK_FALSE(node.source.empty());
    ++judged;
  }
  CHECK(judged > 100);
}

TEST_CASE("every parameter's gradient in the translator is the sum of its provenance") {
  const std::vector<Pair> pairs = some_pairs();
  Trained trained = toy::untrained(pairs, {.embedding = 16, .hidden = 24});
  const Trace trace = recorded_step(trained, pairs);
  int parameters = 0;
  for (int n = 0; n < trace.size(); ++n) {
    const TraceNode& node = trace.node(n);
    if (node.kind != TraceNode::Kind::parameter) continue;
    CAPTURE(node.name);
    ++parameters;
    const std::vector<double> gradient = node.gradient.values().to_vector<double>();
    for (size_t element : {size_t{0}, gradient.size() / 2, gradient.size() - 1}) {
      double sum = 0, magnitude = 0;
      for (const Contribution& part : provenance(trace, n, static_cast<int64_t>(element))) {
        sum += part.amount;
        magnitude += std::abs(part.amount);
      }
      CHECK(std::abs(sum - gradient[element]) <= 1e-5 * magnitude);
    }
  }
  CHECK(parameters == 13);
}

TEST_CASE("what if an attention weight were another: a replay of the translator") {
  const std::vector<Pair> pairs = some_pairs();
  Trained trained = toy::untrained(pairs, {.embedding = 16, .hidden = 24});
  const Trace trace = recorded_step(trained, pairs);
  int weights = -1;
  for (int n = 0; n < trace.size() && weights < 0; ++n)
    if (trace.node(n).op == "softmax") weights = n;
  REQUIRE(weights >= 0);
  CHECK(trace.node(weights).path == "attention");
  CHECK(trace.node(weights).time == 0);

  const Trace same = trace.replay(weights, trace.node(weights).value.values());
  const Trace other = trace.replay(weights, zeros_like(trace.node(weights).value.values()));
  const int last = trace.size() - 1;
  auto bits = [last](const Trace& t) { return t.node(last).value.values().to_vector<float>(); };
  CHECK(bits(same) == bits(trace));
  CHECK(bits(other) != bits(trace));
  for (int n = 0; n < trace.size(); ++n)
    if (trace.node(n).gradient.defined()) {
      CAPTURE(trace.description(n));
      CHECK(same.node(n).gradient.values().to_vector<float>() ==
            trace.node(n).gradient.values().to_vector<float>());
    }
}
