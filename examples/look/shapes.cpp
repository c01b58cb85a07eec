#include "examples/look/shapes.h"

#include <fmt/format.h>

#include <algorithm>

namespace gradus::look {

namespace {

constexpr int64_t radius = 5;

struct Named {
  const char* name;
  Colour colour;
};
constexpr Named colours[] = {{"red", {255, 0, 0}},      {"green", {0, 255, 0}},
                             {"blue", {0, 0, 255}},     {"orange", {255, 156, 0}},
                             {"gray", {128, 128, 128}}, {"yellow", {255, 255, 0}}};

struct Shape {
  int64_t x, y;
  bool square;
};
using Shapes = std::vector<Shape>;  ///< one of each colour

int64_t squared_distance(const Shape& a, const Shape& b) {
  return (a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y);
}

Shapes place(Generator& generator) {
  Shapes shapes;
  const auto fits = [&](const Shape& shape) {
    std::vector<int64_t> distances;
    for (const Shape& other : shapes) {
      if (std::max(std::abs(shape.x - other.x), std::abs(shape.y - other.y)) <= 2 * radius + 1)
        return false;
      for (const Shape& third : shapes)  // equally far from the other one
        if (squared_distance(shape, other) == squared_distance(third, other)) return false;
      distances.push_back(squared_distance(shape, other));
    }
    std::ranges::sort(distances);
    return std::ranges::adjacent_find(distances) == distances.end();
  };
  while (shapes.size() < std::size(colours)) {
    const auto within = [&] { return radius + generator.below(side - 2 * radius); };
    const int64_t x = within(), y = within();
    const Shape shape{x, y, generator.below(2) == 0};
    if (fits(shape)) shapes.push_back(shape);
  }
  return shapes;
}

Picture draw(const Shapes& shapes) {
  Picture picture;
  for (size_t i = 0; i < shapes.size(); ++i)
    for (int64_t dy = -radius; dy <= radius; ++dy)
      for (int64_t dx = -radius; dx <= radius; ++dx)
        if (shapes[i].square || dx * dx + dy * dy <= radius * (radius + 1))
          picture.at(shapes[i].x + dx, shapes[i].y + dy) = colours[i].colour;
  return picture;
}

/// {} is a colour.
const std::vector<std::string> wordings[] = {
    {"What shape is the {} one?", "Is the {} one a circle or a square?"},
    {"Is the {} one on the left?", "Is the {} one in the left half?"},
    {"Is the {} one at the top?", "Is the {} one in the upper half?"},
    {"What shape is closest to the {} one?", "Which shape is the neighbour of the {} one?"},
    {"What shape is furthest from the {} one?", "Which shape is far away from the {} one?"},
    {"How many have the shape of the {} one?", "How many are of the same shape as the {} one?"}};

std::string answer_of(size_t kind, const Shapes& shapes, size_t asked) {
  const Shape& one = shapes[asked];
  const auto name = [](const Shape& shape) { return shape.square ? "square" : "circle"; };
  const auto yes = [](bool is_so) { return is_so ? "yes" : "no"; };
  if (kind == 0) return name(one);
  if (kind == 1) return yes(2 * one.x < side - 1);
  if (kind == 2) return yes(2 * one.y < side - 1);
  if (kind == 5) return std::to_string(std::ranges::count(shapes, one.square, &Shape::square));
  Shapes others = shapes;
  others.erase(others.begin() + std::ptrdiff_t(asked));
  const auto distance = [&](const Shape& other) { return squared_distance(one, other); };
  return name(kind == 3 ? *std::ranges::min_element(others, {}, distance)
                        : *std::ranges::max_element(others, {}, distance));
}

}  // namespace

Examples draw_shapes(int64_t first, int64_t count) {
  Examples examples;
  for (int64_t i = 0; i < count; ++i) {
    Generator generator(uint64_t(first + i));
    const Shapes shapes = place(generator);
    examples.pictures.push_back(draw(shapes));
    for (size_t q = 0; q < 20; ++q) {
      const auto kind = size_t(generator.below(3)) + (q < 10 ? 0 : relational_from);
      const auto asked = size_t(generator.below(std::ssize(shapes)));
      const std::string& wording = wordings[kind][size_t(generator.below(2))];
      examples.questions.push_back({i, fmt::format(fmt::runtime(wording), colours[asked].name),
                                    answer_of(kind, shapes, asked), shape_kinds[kind]});
    }
  }
  return examples;
}

}  // namespace gradus::look
