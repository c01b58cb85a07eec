#include "examples/step/checkup.h"

#include <algorithm>

#include "core/trace/not_finite.h"

namespace gradus::step {

namespace {

double norm_of(const TraceTensor& x) { return x.defined() ? x.summary().all().norm : 0; }

/// The first `depth` parts of a path: "decoder.attention" of "decoder.attention.score".
std::string cut(const std::string& path, int depth) {
  size_t end = 0;
  for (; depth > 0 && end < path.size(); --depth)
    end = std::min(path.find('.', end + (end > 0)), path.size());
  return path.substr(0, end);
}

std::vector<LayerNorms> rows_of(const Trace& trace, int depth) {
  std::vector<LayerNorms> rows;
  std::map<std::string, size_t> places;
  for (int n = 0; n < trace.size(); ++n) {  // of each layer and time step the last op stays
    const TraceNode& node = trace.node(n);
    if (node.kind != TraceNode::Kind::op || !node.gradient.defined()) continue;
    const std::string layer = cut(node.path, depth);
    const auto [place, is_new] = places.try_emplace(layer, rows.size());
    if (is_new) rows.push_back({layer, {}, {}});
    LayerNorms& row = rows[place->second];
    row.norms[node.time] = norm_of(node.gradient);
    row.nodes[node.time] = n;
  }
  return rows;
}

/// As many parts of the paths as give no more than `most` rows, but at least one.
std::vector<LayerNorms> rows_that_fit(const Trace& trace, size_t most) {
  constexpr int deepest = 8;
  for (int depth = deepest; depth > 1; --depth)
    if (std::vector<LayerNorms> rows = rows_of(trace, depth); rows.size() <= most) return rows;
  return rows_of(trace, 1);
}

/// Where a gradient arrives and nothing but zeros goes on to an op.
std::vector<Place> dead_ends(const Trace& trace) {
  std::vector<Place> result;
  for (int n = trace.size(); n-- > 0;) {
    const TraceNode& node = trace.node(n);
    if (!node.gradient.defined() || norm_of(node.gradient) == 0) continue;
    const bool stops = std::ranges::any_of(node.inputs, [&](int input) {
      return trace.node(input).kind != TraceNode::Kind::constant &&
             norm_of(trace.node(input).gradient) == 0;
    });
    if (stops) result.push_back({n, true});
  }
  return result;
}

}  // namespace

Checkup check_up(const Trace& trace, size_t most) {
  Checkup found;
  found.layers = rows_that_fit(trace, most);
  found.dead_ends = dead_ends(trace);
  for (int n = 0; n < trace.size(); ++n) {
    const TraceNode& node = trace.node(n);
    if (value_breaks(trace, n)) found.breaks.push_back({n, false});
    if (node.kind == TraceNode::Kind::parameter && norm_of(node.gradient) == 0)
      found.unreached.push_back({n, true});
    if (node.kind != TraceNode::Kind::op) continue;
    const auto result = node.verdict ? node.verdict->result : Verdict::Result::unknown;
    if (result == Verdict::Result::disagrees) found.wrong.push_back({n, true});
    found.agree += result == Verdict::Result::agrees;
    found.not_finite += result == Verdict::Result::not_finite;
    found.unchecked += result == Verdict::Result::unknown;
  }
  for (int n = trace.size(); n-- > 0;)
    if (gradient_breaks(trace, n)) found.breaks.push_back({n, true});
  return found;
}

}  // namespace gradus::step
