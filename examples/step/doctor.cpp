#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "core/trace/not_finite.h"
#include "examples/step/views.h"
#include "examples/terminal/display_width.h"

namespace gradus::step {

using terminal::align_left;
using terminal::display_width;
using terminal::fit;
using terminal::printable;

namespace {

/// The norms of the gradients at a layer's output, by time step; outside of time at −1.
struct Row {
  std::string layer;
  std::map<int64_t, double> norms;
};

/// The first `depth` parts of a path: "decoder.attention" of "decoder.attention.score".
std::string cut(const std::string& path, int depth) {
  size_t end = 0;
  for (; depth > 0 && end < path.size(); --depth)
    end = std::min(path.find('.', end + (end > 0)), path.size());
  return path.substr(0, end);
}

std::vector<Row> rows_of(const Trace& trace, int depth) {
  std::vector<Row> rows;
  std::map<std::string, size_t> places;
  for (const TraceNode& node : trace.nodes()) {  // of each layer and time step the last op stays
    if (node.kind != TraceNode::Kind::op || !node.gradient.defined()) continue;
    const std::string layer = cut(node.path, depth);
    const auto [place, is_new] = places.try_emplace(layer, rows.size());
    if (is_new) rows.push_back({layer, {}});
    rows[place->second].norms[node.time] = node.gradient.summary().all().norm;
  }
  return rows;
}

/// As many parts of the paths as give no more than `most` rows, but at least one.
std::vector<Row> rows_that_fit(const Trace& trace, size_t most) {
  constexpr int deepest = 8;
  for (int depth = deepest; depth > 1; --depth)
    if (std::vector<Row> rows = rows_of(trace, depth); rows.size() <= most) return rows;
  return rows_of(trace, 1);
}

struct Scale {
  double least = HUGE_VAL, most = 0;  // of the norms that are finite and not 0

  void take_in(double norm) {
    if (!(norm > 0) || std::isinf(norm)) return;
    least = std::min(least, norm);
    most = std::max(most, norm);
  }
  const char* mark(double norm) const {
    static constexpr std::array bars{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    if (std::isnan(norm)) return "?";
    if (std::isinf(norm)) return "∞";
    if (norm == 0) return "·";
    if (most == least) return bars.back();
    const double at = (std::log(norm) - std::log(least)) / (std::log(most) - std::log(least));
    return bars[static_cast<size_t>(std::lround(at * (bars.size() - 1)))];
  }
};

/// Whether `b` deserves the place of both: NaN before ∞ before what is large.
bool is_worse(double a, double b) { return std::isnan(b) || (!std::isnan(a) && b > a); }

/// A mark per time step, or per run of them where they do not fit.
std::string strip(const Row& row, const Scale& scale, int columns) {
  std::string text;
  if (const auto without = row.norms.find(-1); without != row.norms.end())
    text += scale.mark(without->second);
  const auto begin = row.norms.upper_bound(-1);
  if (begin == row.norms.end()) return text;
  if (!text.empty()) text += " ";
  const auto count = std::distance(begin, row.norms.end());
  const auto run = (count + columns - 1) / columns;
  int64_t i = 0;
  double worst = 0;
  for (auto at = begin; at != row.norms.end(); ++at) {
    if (i % run == 0 || is_worse(worst, at->second)) worst = at->second;
    if (++i % run == 0 || i == count) text += scale.mark(worst);
  }
  return text;
}

std::string norms_view(const Trace& trace, const Screen& screen) {
  constexpr size_t most = 14;
  const std::vector<Row> rows = rows_that_fit(trace, most);
  if (rows.empty()) return said("  no gradient was recorded\n");
  Scale scale;
  int label = 0;
  for (const Row& row : rows) {
    for (const auto& [time, norm] : row.norms) scale.take_in(norm);
    label = std::max(label, std::min(display_width(row.layer), 28));
  }
  label = std::max(label, 8);
  std::string text = said("  norm of the gradient at each layer's output, by time step\n");
  if (scale.most > 0)
    text += said("  log scale: ▁ {} to █ {}; · is 0\n", number_text(scale.least),
                 number_text(scale.most));
  for (size_t i = 0; i < std::min(rows.size(), most); ++i) {
    const Row& row = rows[i];
    double low = HUGE_VAL, high = 0;
    for (const auto& [time, norm] : row.norms) {
      low = std::min(low, norm);
      if (is_worse(high, norm)) high = norm;
    }
    const std::string range = row.norms.size() == 1
                                  ? number_text(high)
                                  : said("{} to {}", number_text(low), number_text(high));
    const std::string name = row.layer.empty() ? said("no layer") : printable(row.layer);
    text += fit(fmt::format("    {}  {}  {}", align_left(fit(name, 28), label),
                            strip(row, scale, std::max(8, screen.width - label - 32)),
                            screen.faint(range)),
                screen.has_colour ? screen.width + 8 : screen.width) +
            "\n";
  }
  if (rows.size() > most) text += said("    and {} more layers\n", rows.size() - most);
  return text;
}

/// "log 4 (forward, in decoder, time 3), sqrt 7 (backward), and 3 more"
std::string places_text(const Trace& trace, const std::vector<Place>& places, bool with_pass) {
  constexpr size_t most = 4;
  std::string text;
  for (size_t i = 0; i < std::min(places.size(), most); ++i) {
    const Place& place = places[i];
    std::string details = where_text(trace.node(place.node));
    if (with_pass)
      details = (place.is_backward ? said("backward") : said("forward")) +
                (details.empty() ? "" : said(", ") + details);
    text += (i == 0 ? "" : said("; ")) + reference(trace, place.node) +
            (details.empty() ? "" : said(" ({})", details));
  }
  if (places.size() > most) text += said("; and {} more", places.size() - most);
  return text;
}

double norm_of(const TraceTensor& x) { return x.defined() ? x.summary().all().norm : 0; }

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

std::string doctor_view(const Trace& trace, const Screen& screen) {
  std::string text = norms_view(trace, screen);
  const auto finding = [&](const std::string& what, const std::string& found, bool is_bad) {
    const std::string body = wrapped(found, screen.width, 20);
    text += fmt::format("  {} {}{}", is_bad ? screen.bad("✗") : screen.good("✓"),
                        align_left(what, 16), body.substr(std::min<size_t>(20, body.size())));
  };
  std::vector<Place> breaks, unreached;
  for (int n = 0; n < trace.size(); ++n)
    if (value_breaks(trace, n)) breaks.push_back({n, false});
  for (int n = trace.size(); n-- > 0;)
    if (gradient_breaks(trace, n)) breaks.push_back({n, true});
  for (int n = 0; n < trace.size(); ++n)
    if (const TraceNode& node = trace.node(n);
        node.kind == TraceNode::Kind::parameter && norm_of(node.gradient) == 0)
      unreached.push_back({n, true});
  const std::vector<Place> ends = dead_ends(trace);
  finding(said("NaN, ∞"),
          breaks.empty() ? said("none") : said("begins at {}", places_text(trace, breaks, true)),
          !breaks.empty());
  finding(said("dead paths"),
          ends.empty() ? said("none: every gradient goes on")
                       : said("only zeros go on from {}", places_text(trace, ends, false)),
          !ends.empty());
  finding(said("unreached"),
          unreached.empty()
              ? said("none: every parameter gets a gradient")
              : said("no gradient, or only zeros: {}", places_text(trace, unreached, false)),
          !unreached.empty());
  std::vector<Place> wrong;
  int64_t agree = 0, not_finite = 0, unchecked = 0;
  for (int n = 0; n < trace.size(); ++n) {
    const TraceNode& node = trace.node(n);
    if (node.kind != TraceNode::Kind::op) continue;
    const auto result = node.verdict ? node.verdict->result : Verdict::Result::unknown;
    if (result == Verdict::Result::disagrees) wrong.push_back({n, true});
    agree += result == Verdict::Result::agrees;
    not_finite += result == Verdict::Result::not_finite;
    unchecked += result == Verdict::Result::unknown;
  }
  std::string rules = wrong.empty() ? "" : said("wrong: {}; ", places_text(trace, wrong, false));
  rules += said("{} agree with differences", agree);
  if (not_finite > 0) rules += said(", {} not finite", not_finite);
  if (unchecked > 0) rules += said(", {} not checked", unchecked);
  finding(said("rules"), rules, !wrong.empty());
  return text;
}

}  // namespace gradus::step
