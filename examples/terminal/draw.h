#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradus::terminal {

/// One value per epoch, the first of them for epoch 1. A value that is not finite leaves a gap.
struct Curve {
  std::string name;
  std::vector<double> values;
};

/// What each target token attended to: `weights[target][source]`, rows summing to 1.
struct AttentionMap {
  std::vector<std::string> source, target;
  std::vector<std::vector<double>> weights;
};

/// Throws std::invalid_argument unless `weights` has a row per target token and in it a column
/// per source token.
void check(const AttentionMap& map);

/// The curves over the epochs as lines of text, at most `width` columns wide (at least 32);
/// `height` (at least 4) counts the lines of the plot itself, without title, epochs and legend.
/// Each curve has a marker of its own; after four curves the markers repeat.
std::string curve_text(std::string_view title, const std::vector<Curve>& curves, int width = 72,
                       int height = 16);

/// The same as a self-contained SVG that follows the reader's light or dark colour scheme.
std::string curve_svg(std::string_view title, std::string_view x_label, std::string_view y_label,
                      const std::vector<Curve>& curves);

/// The map as lines of text, all of one display width: a row per target token, a column per
/// source token, and the weight as a shade: " " below 1/8, "░" below 3/8, "▒" below 5/8, "▓" below
/// 7/8, "█" above; "?" where it is not a number. Targets are cut to `widest_target` columns. Throws
/// as `check` does.
std::string attention_text(const AttentionMap& map, int widest_target = 20);

/// The same as a self-contained SVG; the weight shows when the pointer rests on a cell.
std::string attention_svg(const AttentionMap& map, int widest_target = 24);

/// A picture, and where several looks at it went. The weights of a look are those of square cells,
/// row by row; the first cell lies `margin` pixels from the left and from the top.
struct PictureMap {
  int64_t width;                               ///< in pixels
  std::vector<std::array<uint8_t, 3>> pixels;  ///< red, green, blue; row by row
  std::vector<std::string> looks;              ///< their names
  std::vector<std::vector<double>> weights;    ///< of each look
  int64_t columns, cell, margin;               ///< cells in a row, and their side in pixels
};

/// Throws std::invalid_argument unless the pixels make whole rows, each look has its weights, and
/// the cells lie within the picture.
void check(const PictureMap& map);

/// The picture as coloured squares, each of two columns for the pixel in its middle, at most 25
/// beside each other; white is left blank, gray is "▒▒". Below it, beside each other, the cells of
/// each look, in the shades of attention_text; the largest weight of a look is a full one.
std::string picture_text(const PictureMap& map);
/// The part below the picture alone.
std::string looks_text(const PictureMap& map);

/// The picture, and beside it each look: the picture again, veiled but where it was looked at.
std::string picture_svg(const PictureMap& map, std::string_view title);

}  // namespace gradus::terminal
