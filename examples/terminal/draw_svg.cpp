#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "examples/terminal/axis.h"
#include "examples/terminal/display_width.h"
#include "examples/terminal/draw.h"

namespace gradus::terminal {
namespace {

std::string escape(std::string_view text) {
  std::string out;
  for (char c : printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

constexpr double column_px = 8;  // of one display column in 15 px text, generously

double text_px(std::string_view text) { return column_px * display_width(text); }

/// Collects elements, then wraps them into a document. Colours are classes, because many viewers
/// know no CSS variables.
class Svg {
 public:
  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(body_), format, std::forward<Args>(args)...);
    body_ += '\n';
  }

  void text(double x, double y, std::string_view classes, std::string_view content,
            int degrees = 0) {
    const std::string turn =
        degrees == 0 ? "" : fmt::format(" transform='rotate({} {:.1f} {:.1f})'", degrees, x, y);
    add(R"(<text x="{:.1f}" y="{:.1f}" class="{}"{}>{}</text>)", x, y, classes, turn,
        escape(content));
  }

  std::string document(double width, double height, std::string_view title,
                       std::string_view description, std::string_view style) const {
    std::string out = fmt::format(
        R"(<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{0:.0f}" height="{1:.0f}" )"
        R"(viewBox="0 0 {0:.0f} {1:.0f}">)"
        "\n<title>{2}</title>\n<desc>{3}</desc>\n<style>{4}{5}</style>\n",
        width, height, escape(title), escape(description), common_style, style);
    out += R"(<rect width="100%" height="100%" class="page"/>)";
    return out + "\n" + body_ + "</svg>\n";
  }

 private:
  static constexpr std::string_view common_style = R"(
text { font: 15px "Helvetica Neue", Arial, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei",
  sans-serif; fill: #1f2328; }
.small { font-size: 13px; fill: #59636e; }
.bold { font-weight: 600; }
.middle { text-anchor: middle; }
.end { text-anchor: end; }
.page { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .small { fill: #9198a1; }
  .page { fill: #0d1117; }
})";

  std::string body_;
};

constexpr std::string_view curve_style = R"(
.grid { stroke: #d1d9e0; }
.axis { stroke: #818b98; }
.line { fill: none; stroke-width: 2.25; stroke-linejoin: round; stroke-linecap: round; }
.hollow { fill: #ffffff; stroke-width: 2; }
.stroke0 { stroke: #0969da; } .full0 { fill: #0969da; }
.stroke1 { stroke: #bc4c00; stroke-dasharray: 7 5; } .hollow1 { stroke: #bc4c00; }
.stroke2 { stroke: #1a7f37; stroke-dasharray: 1 5; } .full2 { fill: #1a7f37; }
.stroke3 { stroke: #8250df; stroke-dasharray: 9 4 1 4; } .hollow3 { stroke: #8250df; }
@media (prefers-color-scheme: dark) {
  .grid { stroke: #2a313c; }
  .axis { stroke: #656c76; }
  .hollow { fill: #0d1117; }
  .stroke0 { stroke: #58a6ff; } .full0 { fill: #58a6ff; }
  .stroke1 { stroke: #f0883e; } .hollow1 { stroke: #f0883e; }
  .stroke2 { stroke: #3fb950; } .full2 { fill: #3fb950; }
  .stroke3 { stroke: #bc8cff; } .hollow3 { stroke: #bc8cff; }
}
)";

/// A round marker for the first two styles of curve, a square one for the others.
void add_marker(Svg& svg, size_t style, double x, double y, std::string_view tip) {
  const std::string classes = (style % 2 == 0 ? "full" : "hollow hollow") + std::to_string(style);
  const double r = style % 2 == 0 ? 4.5 : 3.75;
  const std::string title = tip.empty() ? "" : fmt::format("<title>{}</title>", escape(tip));
  if (style < 2) {
    svg.add(R"(<circle cx="{:.1f}" cy="{:.1f}" r="{}" class="{}">{}</circle>)", x, y, r, classes,
            title);
  } else {
    svg.add(R"(<rect x="{:.1f}" y="{:.1f}" width="{}" height="{}" class="{}">{}</rect>)", x - r,
            y - r, 2 * r, 2 * r, classes, title);
  }
}

constexpr std::string_view attention_style = R"(
.plate { fill: #f3f5f8; }
.weight { fill: #0b4fa8; }
.odd { fill: none; stroke: #818b98; stroke-dasharray: 3 3; }
.number { font-size: 12px; text-anchor: middle; pointer-events: none; }
.strong { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
  .plate { fill: #171d26; }
  .weight { fill: #8cc8ff; }
  .strong { fill: #0d1117; }
}
)";

std::string describe(const AttentionMap& map) {
  std::string out = "How much each target token (row) attended to each source token (column).";
  for (size_t row = 0; row < map.target.size() && !map.source.empty(); ++row) {
    const auto& weights = map.weights[row];
    const size_t best = std::max_element(weights.begin(), weights.end()) - weights.begin();
    out +=
        fmt::format(" {}: mostly {} ({:.2f}).", map.target[row], map.source[best], weights[best]);
  }
  return out;
}

double widest_px(const std::vector<std::string>& tokens) {
  double widest = 0;
  for (const std::string& token : tokens) widest = std::max(widest, text_px(token));
  return widest;
}

}  // namespace

std::string curve_svg(std::string_view title, std::string_view x_label, std::string_view y_label,
                      const std::vector<Curve>& curves) {
  constexpr double plot_width = 660, plot_height = 300;
  const Axis value = value_axis(curves, 6), epoch = epoch_axis(curves, 12);
  double labels_px = 0;
  for (const Tick& tick : value.ticks) labels_px = std::max(labels_px, text_px(tick.label));
  const double left = 48 + labels_px, right = left + plot_width;
  Svg svg;
  svg.text(left, 34, "bold", fit(title, 78));

  double legend_x = left, legend_y = 62;
  for (size_t c = 0; c < curves.size(); ++c) {
    const std::string name = fit(curves[c].name, 60);
    if (legend_x > left && legend_x + 44 + text_px(name) > right) {
      legend_x = left;
      legend_y += 24;
    }
    svg.add(R"(<path d="M{:.1f} {:.1f}h32" class="line stroke{}"/>)", legend_x, legend_y - 5,
            c % 4);
    add_marker(svg, c % 4, legend_x + 16, legend_y - 5, "");
    svg.text(legend_x + 42, legend_y, "", name);
    legend_x += 42 + text_px(name) + 28;
  }

  const double top = legend_y + 26, bottom = top + plot_height;
  const auto x = [&](double e) { return left + 14 + epoch.position(e) * (right - left - 28); };
  const auto y = [&](double v) { return bottom - value.position(v) * plot_height; };
  for (const Tick& tick : value.ticks) {
    svg.add(R"(<path d="M{} {:.1f}H{}" class="grid"/>)", left, y(tick.value), right);
    svg.text(left - 10, y(tick.value) + 4.5, "small end", tick.label);
  }
  svg.add(R"(<path d="M{} {:.1f}H{}" class="axis"/>)", left, bottom, right);
  if (value.ticks.empty()) {
    svg.text((left + right) / 2, (top + bottom) / 2, "small middle", "no values to draw");
  } else {
    for (const Tick& tick : epoch.ticks) {
      svg.add(R"(<path d="M{:.1f} {:.1f}v5" class="axis"/>)", x(tick.value), bottom);
      svg.text(x(tick.value), bottom + 21, "small middle", tick.label);
    }
  }
  svg.text((left + right) / 2, bottom + 44, "small middle", x_label);
  svg.text(22, (top + bottom) / 2, "small middle", y_label, -90);

  const double spacing = (plot_width - 28) / std::max(1.0, epoch.high - 1);
  const size_t stride = std::max(1.0, std::ceil(14 / spacing));
  for (size_t c = curves.size(); c-- > 0;) {
    const auto& values = curves[c].values;
    for (auto [begin, end] : drawable_runs(values)) {
      std::string path;
      for (size_t i = begin; i < end; ++i) {
        path += fmt::format("{}{:.1f} {:.1f}", i == begin ? 'M' : 'L', x(i + 1), y(values[i]));
      }
      svg.add(R"(<path d="{}" class="line stroke{}"/>)", path, c % 4);
    }
    for (size_t i : marked_points(values, stride)) {
      add_marker(svg, c % 4, x(i + 1), y(values[i]),
                 fmt::format("{}, {} {}: {:.4g}", curves[c].name, x_label, i + 1, values[i]));
    }
  }

  std::string description = fmt::format("{} by {}.", y_label, x_label);
  for (const Curve& curve : curves) {
    const auto runs = drawable_runs(curve.values);
    if (runs.empty()) continue;
    description +=
        fmt::format(" {}: from {:.4g} to {:.4g}.", curve.name, curve.values[runs.front().first],
                    curve.values[runs.back().second - 1]);
  }
  return svg.document(right + 24, bottom + 62, title, description, curve_style);
}

std::string attention_svg(const AttentionMap& map, int widest_target) {
  check(map);
  Svg svg;
  if (map.source.empty() || map.target.empty()) {
    svg.text(24, 40, "small", "no tokens, no attention");
    return svg.document(240, 64, "Attention map", describe(map), attention_style);
  }

  const auto source = fit(map.source, 24), target = fit(map.target, widest_target);
  const double columns = source.size(), rows = target.size();
  const double cell = std::clamp(480 / std::max(columns, rows), 26.0, 46.0);
  const double widest = widest_px(source);
  const bool slanted = widest > cell;
  const double slope = std::sqrt(0.5);  // of words slanted by 45°
  const double left = 24 + widest_px(target) + 12;
  const double top = 24 + (slanted ? widest * slope + 16 : 20) + 8;
  double width = std::max(left + columns * cell, left + 230.0);

  for (size_t c = 0; c < source.size(); ++c) {
    const double x = left + (c + 0.5) * cell;
    if (slanted) {
      svg.text(x + 3, top - 9, "", source[c], -45);
      width = std::max(width, x + 12 + text_px(source[c]) * slope);
    } else {
      svg.text(x, top - 10, "middle", source[c]);
    }
  }
  svg.add(R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="6" class="plate"/>)",
          left - 1, top - 1, columns * cell + 2, rows * cell + 2);
  for (size_t r = 0; r < target.size(); ++r) {
    const double y = top + r * cell;
    svg.text(left - 12, y + cell / 2 + 5, "end", target[r]);
    for (size_t c = 0; c < source.size(); ++c) {
      const double weight = map.weights[r][c], x = left + c * cell;
      const double ink = std::isnan(weight) ? 1 : std::clamp(weight, 0.0, 1.0);
      svg.add(R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="4" class="{}" )"
              R"(fill-opacity="{:.3f}"><title>{} → {}: {:.3f}</title></rect>)",
              x + 1.5, y + 1.5, cell - 3, cell - 3, std::isnan(weight) ? "odd" : "weight", ink,
              escape(source[c]), escape(target[r]), weight);
      if (cell >= 32 && ink >= 0.05) {
        svg.text(x + cell / 2, y + cell / 2 + 4.5, weight > 0.6 ? "number strong" : "number",
                 std::isnan(weight) ? "?" : fmt::format("{:.2f}", weight));
      }
    }
  }

  const double key_y = top + rows * cell + 22;
  svg.text(left, key_y + 11.5, "small", "0");
  for (int step = 0; step <= 10; ++step) {
    svg.add(R"(<rect x="{:.1f}" y="{:.1f}" width="10" height="14" class="plate"/>)",
            left + 14 + 10 * step, key_y);
    svg.add(
        R"(<rect x="{:.1f}" y="{:.1f}" width="10" height="14" class="weight" fill-opacity="{}"/>)",
        left + 14 + 10 * step, key_y, step / 10.0);
  }
  svg.text(left + 130, key_y + 11.5, "small", "1");
  const auto sentence = [](const auto& tokens) {
    std::string out;
    for (const std::string& token : tokens) out += (out.empty() ? "" : " ") + token;
    return out;
  };
  return svg.document(width + 24, key_y + 38,
                      fmt::format("Attention: {} → {}", sentence(map.source), sentence(map.target)),
                      describe(map), attention_style);
}

std::string picture_svg(const PictureMap& map, std::string_view title) {
  check(map);
  constexpr double pixel = 3, gap = 24, top = 76;
  const double across = double(map.width) * pixel,
               down = double(std::ssize(map.pixels) / map.width) * pixel;
  Svg svg;
  svg.text(gap, 34, "bold", fit(title, 100));
  const auto draw_picture = [&](double left) {  // runs of one colour, row by row
    const auto& pixels = map.pixels;
    for (int64_t i = 0, end = 0; i < std::ssize(pixels); i = end) {
      const int64_t row = i / map.width, column = i % map.width;
      for (end = i + 1; end < (row + 1) * map.width && pixels[size_t(end)] == pixels[size_t(i)];)
        ++end;
      const auto [red, green, blue] = pixels[size_t(i)];
      if (red != 255 || green != 255 || blue != 255)
        svg.add(R"(<rect x="{}" y="{}" width="{}" height="{}" fill="#{:02x}{:02x}{:02x}"/>)",
                left + double(column) * pixel, top + double(row) * pixel, double(end - i) * pixel,
                pixel, red, green, blue);
    }
  };
  const auto plate = [&](double left, std::string_view name) {
    svg.text(left + across / 2, top - 10, "middle small", name);
    svg.add(R"(<rect x="{}" y="{}" width="{}" height="{}" class="plate"/>)", left, top, across,
            down);
  };
  plate(gap, "the picture");
  draw_picture(gap);
  for (size_t look = 0; look < map.weights.size(); ++look) {
    const double left = gap + double(look + 1) * (across + gap);
    plate(left, map.looks[look]);
    draw_picture(left);
    svg.add(R"(<rect x="{}" y="{}" width="{}" height="{}" class="veil"/>)", left, top, across,
            down);
    const auto& weights = map.weights[look];
    const double most = std::max(1e-9, std::ranges::max(weights));
    for (int64_t i = 0; i < std::ssize(weights); ++i) {
      const double weight = weights[size_t(i)], size = double(map.cell) * pixel;
      if (weight < most / 50) continue;
      svg.add(R"(<rect x="{}" y="{}" width="{}" height="{}" class="look" fill-opacity="{:.2f}">)"
              R"(<title>{:.3f}</title></rect>)",
              left + double(map.margin + i % map.columns * map.cell) * pixel,
              top + double(map.margin + i / map.columns * map.cell) * pixel, size, size,
              0.85 * weight / most, weight);
    }
  }
  constexpr std::string_view style = R"(
.plate { fill: #ffffff; stroke: #818b98; }
.veil { fill: #ffffff; fill-opacity: 0.6; }
.look { fill: #8250df; }
)";
  return svg.document(gap + double(map.weights.size() + 1) * (across + gap), top + down + gap,
                      title, "A picture, and where each look at it went.", style);
}

}  // namespace gradus::terminal
