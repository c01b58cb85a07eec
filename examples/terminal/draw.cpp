#include "examples/terminal/draw.h"

#include <fmt/format.h>

#include <stdexcept>

namespace gradus::terminal {

void check(const AttentionMap& map) {
  if (map.weights.size() != map.target.size()) {
    throw std::invalid_argument(
        fmt::format("attention map: {} rows of weights for {} target tokens; give one row each",
                    map.weights.size(), map.target.size()));
  }
  for (size_t row = 0; row < map.weights.size(); ++row) {
    if (map.weights[row].size() != map.source.size()) {
      throw std::invalid_argument(fmt::format(
          "attention map: row {} has {} weights for {} source tokens; give one weight each", row,
          map.weights[row].size(), map.source.size()));
    }
  }
}

void check(const PictureMap& map) {
  const int64_t width = map.width, count = std::ssize(map.pixels);
  if (width < 1 || count < 1 || count % width != 0)
    throw std::invalid_argument(
        fmt::format("picture map: {} pixels do not make rows of {}", count, width));
  if (map.looks.size() != map.weights.size())
    throw std::invalid_argument(fmt::format("picture map: {} names for {} looks; give one each",
                                            map.looks.size(), map.weights.size()));
  for (const auto& weights : map.weights) {
    const int64_t cells = std::ssize(weights), columns = map.columns;
    const auto beyond = [&](int64_t n, int64_t pixels) {
      return 2 * map.margin + n * map.cell > pixels;
    };
    if (columns < 1 || map.cell < 1 || map.margin < 0 || cells < 1 || cells % columns != 0 ||
        beyond(columns, width) || beyond(cells / columns, count / width))
      throw std::invalid_argument(
          fmt::format("picture map: {} weights in rows of {} cells do not fit {} × {} pixels",
                      cells, columns, width, count / width));
  }
}

}  // namespace gradus::terminal
