#pragma once

#include "examples/look/pictures.h"

namespace gradus::look {

/// What is asked of pictures of shapes; the first three kinds need one shape, the others several.
inline const std::vector<std::string> shape_kinds{"which shape", "left half",    "upper half",
                                                  "closest one", "furthest one", "how many alike"};
inline constexpr size_t relational_from = 3;

/// Sort-of-CLEVR (Santoro et al. 2017, arXiv 1706.01427, section 4.2 and supplement): pictures
/// `first`, `first` + 1 … of an endless series, each with six shapes, squares and circles, one of
/// each colour, and 20 questions, ten of which need one shape alone, and ten several. Unlike there,
/// no two shapes touch, and no two are equally far from a third.
Examples draw_shapes(int64_t first, int64_t count);

}  // namespace gradus::look
