#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "examples/step/checkup.h"
#include "examples/step/views.h"
#include "examples/terminal/display_width.h"

namespace gradus::step {

using terminal::align_left;
using terminal::display_width;
using terminal::fit;
using terminal::printable;

namespace {

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
std::string strip(const LayerNorms& row, const Scale& scale, int columns) {
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

constexpr size_t most = 14;  // layers

std::string norms_view(const std::vector<LayerNorms>& rows, const Screen& screen) {
  if (rows.empty()) return said("  no gradient was recorded\n");
  Scale scale;
  int label = 0;
  for (const LayerNorms& row : rows) {
    for (const auto& [time, norm] : row.norms) scale.take_in(norm);
    label = std::max(label, std::min(display_width(row.layer), 28));
  }
  label = std::max(label, 8);
  std::string text = said("  norm of the gradient at each layer's output, by time step\n");
  if (scale.most > 0)
    text += said("  log scale: ▁ {} to █ {}; · is 0\n", number_text(scale.least),
                 number_text(scale.most));
  for (size_t i = 0; i < std::min(rows.size(), most); ++i) {
    const LayerNorms& row = rows[i];
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

}  // namespace

std::string doctor_view(const Trace& trace, const Screen& screen) {
  const Checkup checkup = check_up(trace, most);
  std::string text = norms_view(checkup.layers, screen);
  const auto finding = [&](const std::string& what, const std::string& found, bool is_bad) {
    const std::string body = wrapped(found, screen.width, 20);
    text += fmt::format("  {} {}{}", is_bad ? screen.bad("✗") : screen.good("✓"),
                        align_left(what, 16), body.substr(std::min<size_t>(20, body.size())));
  };
  const std::vector<Place>&breaks = checkup.breaks, &ends = checkup.dead_ends,
        &unreached = checkup.unreached, &wrong = checkup.wrong;
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
  std::string rules = wrong.empty() ? "" : said("wrong: {}; ", places_text(trace, wrong, false));
  rules += said("{} agree with differences", checkup.agree);
  if (checkup.not_finite > 0) rules += said(", {} not finite", checkup.not_finite);
  if (checkup.unchecked > 0) rules += said(", {} not checked", checkup.unchecked);
  finding(said("rules"), rules, !wrong.empty());
  return text;
}

}  // namespace gradus::step
