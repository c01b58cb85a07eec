#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/tensor/random.h"

namespace gradus::look {

inline constexpr int64_t side = 75;      ///< of a picture, in pixels
inline constexpr int64_t cell_side = 5;  ///< of a cell, in pixels; patches have 3 × 3 cells
inline constexpr int64_t cells_across = side / cell_side, cell_count = cells_across * cells_across;
inline constexpr int64_t cell_size = cell_side * cell_side * 3;  ///< numbers in a cell
inline constexpr int64_t patches_across = cells_across - 2;      ///< they overlap
inline constexpr int64_t patch_count = patches_across * patches_across;

using Colour = std::array<uint8_t, 3>;  ///< red, green, blue

/// Rows of pixels from top to bottom.
struct Picture {
  std::vector<Colour> pixels = std::vector<Colour>(side * side, Colour{255, 255, 255});

  Colour& at(int64_t x, int64_t y) { return pixels[size_t(y * side + x)]; }
  const Colour& at(int64_t x, int64_t y) const { return pixels[size_t(y * side + x)]; }
  bool operator==(const Picture&) const = default;
};

/// Reads and writes PPM files: "P6 WIDTH HEIGHT 255", then three bytes for each pixel.
/// Throws Error with the path for another format and for a picture of another size.
Picture read_picture(const std::string& path);
void write_picture(const std::string& path, const Picture& picture);

/// A question about a picture; an example has its answer, too.
struct Question {
  int64_t picture;  ///< its index
  std::string text, answer, kind;
};
/// Pictures with their questions, those of the first one first.
struct Examples {
  std::vector<Picture> pictures;
  std::vector<Question> questions;
};

/// Reads FOLDER/questions.tsv, which has the name of a picture in the folder, a question and its
/// answer on each line, and the pictures. Tells of skipped lines on standard error. Throws Error
/// with file and line for another number of columns, an empty one, and a picture that cannot be
/// read.
Examples read_examples(const std::string& folder);
/// Writes what read_examples() reads, into a new or empty folder.
void write_examples(const std::string& folder, const Examples& examples);

}  // namespace gradus::look
