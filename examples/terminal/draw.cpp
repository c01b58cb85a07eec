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

}  // namespace gradus::terminal
