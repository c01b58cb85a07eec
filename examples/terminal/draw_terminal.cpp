#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "examples/terminal/axis.h"
#include "examples/terminal/display_width.h"
#include "examples/terminal/draw.h"
#include "examples/terminal/language.h"

namespace gradus::terminal {
namespace {

/// Characters of one column each, to be overwritten; trailing spaces are not printed.
class Canvas {
 public:
  Canvas(int columns, int rows) : cells_(rows, std::vector<std::string>(columns, " ")) {}

  std::string& at(int column, int row) { return cells_.at(row).at(column); }

  void write(int column, int row, std::string_view ascii) {
    for (char c : ascii) at(column++, row) = c;
  }

  std::string line(int row) const {
    std::string out;
    for (const std::string& cell : cells_[row]) out += cell;
    return out.erase(out.find_last_not_of(' ') + 1);
  }

  int rows() const { return static_cast<int>(cells_.size()); }

 private:
  std::vector<std::vector<std::string>> cells_;
};

/// Dots of Unicode braille, 2 × 4 to a character (U+2800 plus one bit per dot).
class Braille {
 public:
  Braille(int columns, int rows) : columns_(columns), bits_(columns * rows) {}

  void dot(int x, int y) {
    constexpr unsigned char bit[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    bits_.at(y / 4 * columns_ + x / 2) |= bit[y % 4][x % 2];
  }

  void line(int x0, int y0, int x1, int y1) {
    const int steps = std::max({std::abs(x1 - x0), std::abs(y1 - y0), 1});
    for (int i = 0; i <= steps; ++i) {
      const double part = double(i) / steps;
      dot(std::lround(x0 + part * (x1 - x0)), std::lround(y0 + part * (y1 - y0)));
    }
  }

  /// The character's UTF-8, or a space where there is no dot.
  std::string character(int column, int row) const {
    const unsigned char bits = bits_[row * columns_ + column];
    if (bits == 0) return " ";
    return {'\xE2', static_cast<char>(0xA0 | bits >> 6), static_cast<char>(0x80 | (bits & 0x3F))};
  }

 private:
  int columns_;
  std::vector<unsigned char> bits_;
};

constexpr std::array markers{"●", "○", "◆", "◇"};

std::string legend(const std::vector<Curve>& curves, int indent, int width) {
  std::string out, line;
  for (size_t c = 0; c < curves.size(); ++c) {
    std::string entry = fmt::format("{} {}", markers[c % markers.size()], curves[c].name);
    const auto runs = drawable_runs(curves[c].values);
    entry += runs.empty() ? " –" : fmt::format(" {:.4g}", curves[c].values[runs.back().second - 1]);
    entry = fit(entry, width - indent);
    if (!line.empty() && indent + display_width(line) + 3 + display_width(entry) > width) {
      out += std::string(indent, ' ') + line + "\n";
      line.clear();
    }
    line += line.empty() ? entry : "   " + entry;
  }
  return line.empty() ? out : out + std::string(indent, ' ') + line + "\n";
}

constexpr int cell_width = 3;  // two shaded characters and a gap: about square on a terminal

/// Each word stands above its column, as low as it can without touching a word or a leader line
/// to its right, and is joined to the column by a leader.
std::vector<std::string> column_headers(const std::vector<std::string>& words) {
  const int count = static_cast<int>(words.size());
  std::vector<int> level(count, 0);
  for (int i = count - 1; i >= 0; --i) {
    const int reach = i * cell_width + display_width(words[i]);
    for (int j = i + 1; j < count && j * cell_width <= reach; ++j) {
      level[i] = std::max(level[i], level[j] + 1);
    }
  }
  std::vector<std::string> lines(*std::max_element(level.begin(), level.end()) + 1);
  for (int row = 0; row < static_cast<int>(lines.size()); ++row) {
    const int height = static_cast<int>(lines.size()) - 1 - row;
    for (int i = 0; i < count; ++i) {
      if (level[i] < height) continue;
      lines[row] = align_left(lines[row], i * cell_width);
      lines[row] += level[i] == height ? words[i] : "│";
    }
  }
  return lines;
}

std::string shade(double weight) {
  if (std::isnan(weight)) return "?";
  constexpr std::array shades{" ", "░", "▒", "▓", "█"};
  return shades[std::lround(4 * std::clamp(weight, 0.0, 1.0))];
}

}  // namespace

std::string curve_text(std::string_view title, const std::vector<Curve>& curves, int width,
                       int height) {
  width = std::max(width, 32);
  height = std::max(height, 4);
  const Axis value = value_axis(curves, std::clamp(height / 3, 2, 8));
  std::string out = title.empty() ? "" : fit(title, width) + "\n";
  if (value.ticks.empty()) return out + "(no values to draw)\n";

  int label_width = 0;
  for (const Tick& tick : value.ticks) {
    label_width = std::max(label_width, display_width(tick.label));
  }
  const int left = label_width + 2, columns = std::max(width - left, 8);
  const Axis epoch = epoch_axis(curves, std::max(columns / 6, 2));
  const auto dot_x = [&](double e) {
    return static_cast<int>(std::lround(epoch.position(e) * (2 * columns - 1)));
  };
  const auto dot_y = [&](double v) {
    return static_cast<int>(std::lround((1 - value.position(v)) * (4 * height - 1)));
  };

  Braille lines(columns, height);
  for (const Curve& curve : curves) {
    for (auto [begin, end] : drawable_runs(curve.values)) {
      for (size_t i = begin; i < end; ++i) {
        const size_t before = i == begin ? i : i - 1;
        lines.line(dot_x(before + 1), dot_y(curve.values[before]), dot_x(i + 1),
                   dot_y(curve.values[i]));
      }
    }
  }

  Canvas canvas(left + columns, height + 2);
  for (int row = 0; row < height; ++row) {
    canvas.at(left - 1, row) = "│";
    for (int c = 0; c < columns; ++c) canvas.at(left + c, row) = lines.character(c, row);
  }
  for (const Tick& tick : value.ticks) {
    const int row = dot_y(tick.value) / 4;
    canvas.at(left - 1, row) = "┤";
    canvas.write(0, row, align_right(tick.label, label_width));
  }
  canvas.at(left - 1, height) = "└";
  for (int c = 0; c < columns; ++c) canvas.at(left + c, height) = "─";
  for (const Tick& tick : epoch.ticks) {
    const int column = left + dot_x(tick.value) / 2, size = static_cast<int>(tick.label.size());
    canvas.at(column, height) = "┬";
    canvas.write(std::clamp(column - size / 2, 0, left + columns - size), height + 1, tick.label);
  }
  const size_t stride = std::max(1.0, std::ceil(4 * (epoch.high - 1) / columns));
  for (size_t c = curves.size(); c-- > 0;) {
    for (size_t i : marked_points(curves[c].values, stride)) {
      canvas.at(left + dot_x(i + 1) / 2, dot_y(curves[c].values[i]) / 4) =
          markers[c % markers.size()];
    }
  }

  for (int row = 0; row < canvas.rows(); ++row) out += canvas.line(row) + "\n";
  out += align_right("epoch", left + columns / 2 + 3) + "\n";
  return out + legend(curves, left, left + columns);
}

std::string attention_text(const AttentionMap& map, int widest_target) {
  check(map);
  if (map.source.empty() || map.target.empty()) return said("(no tokens, no attention)\n");

  const auto source = fit(map.source, 20), target = fit(map.target, widest_target);
  int label_width = 0;
  for (const std::string& token : target) {
    label_width = std::max(label_width, display_width(token));
  }
  std::vector<std::string> lines;
  for (const std::string& header : column_headers(source)) {
    lines.push_back(align_left("", label_width + 2) + header);
  }
  for (size_t row = 0; row < target.size(); ++row) {
    lines.push_back(align_right(target[row], label_width) + "  ");
    for (double weight : map.weights[row]) {
      lines.back() += shade(weight) + shade(weight) + " ";
    }
  }
  lines.push_back("");
  lines.push_back(align_left("", label_width + 2) + "0 ░░▒▒▓▓██ 1");

  int width = 0;
  for (const std::string& line : lines) width = std::max(width, display_width(line));
  std::string out;
  for (const std::string& line : lines) out += align_left(line, width) + "\n";
  return out;
}

namespace {

/// The coloured square that is nearest to a pixel.
std::string square(const std::array<uint8_t, 3>& pixel) {
  struct Square {
    int red, green, blue;
    const char* text;
  };
  constexpr std::array squares{Square{255, 255, 255, "  "}, Square{0, 0, 0, "⬛"},
                               Square{128, 128, 128, "▒▒"}, Square{255, 0, 0, "🟥"},
                               Square{0, 255, 0, "🟩"},   Square{0, 0, 255, "🟦"},
                               Square{255, 150, 0, "🟧"}, Square{255, 255, 0, "🟨"},
                               Square{150, 0, 200, "🟪"}, Square{130, 70, 20, "🟫"}};
  const auto distance = [&](const Square& s) {
    const int red = pixel[0] - s.red, green = pixel[1] - s.green, blue = pixel[2] - s.blue;
    return red * red + green * green + blue * blue;
  };
  return std::ranges::min_element(squares, {}, distance)->text;
}

}  // namespace

std::string picture_text(const PictureMap& map) {
  check(map);
  const int64_t step = (map.width + 24) / 25, across = map.width / step,
                down = std::ssize(map.pixels) / map.width / step;
  std::string edge;
  for (int64_t i = 0; i < across; ++i) edge += "──";
  std::string out = "┌" + edge + "┐\n";
  for (int64_t row = 0; row < down; ++row) {
    out += "│";
    for (int64_t column = 0; column < across; ++column)
      out += square(
          map.pixels[size_t((row * step + step / 2) * map.width + column * step + step / 2)]);
    out += "│\n";
  }
  return out + "└" + edge + "┘\n" + looks_text(map);
}

std::string looks_text(const PictureMap& map) {
  check(map);
  if (map.weights.empty()) return "";
  const int width = int(2 * map.columns) + 1;
  std::string out;
  for (const std::string& name : map.looks) out += align_left(fit(name, width - 1), width);
  out += "\n";
  const int64_t cells = std::ssize(map.weights[0]);
  for (int64_t first = 0; first < cells; first += map.columns) {
    for (const std::vector<double>& weights : map.weights) {
      const double most = std::max(1e-9, std::ranges::max(weights));
      std::string line;
      for (int64_t i = first; i < first + map.columns; ++i) {
        const std::string ink = shade(weights[size_t(i)] / most);
        line += ink == " " ? " ·" : ink + ink;
      }
      out += align_left(line, width);
    }
    out += "\n";
  }
  return out;
}

}  // namespace gradus::terminal
