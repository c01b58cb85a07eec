#include "examples/look/shapes.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

using namespace gradus::look;

namespace {

struct Found {
  double x, y;
  int64_t pixels;
};

/// The middle of the pixels of each colour, found without the generator.
std::map<std::string, Found> shapes_in(const Picture& picture) {
  const std::map<std::string, Colour> colours{{"red", {255, 0, 0}},      {"green", {0, 255, 0}},
                                              {"blue", {0, 0, 255}},     {"orange", {255, 156, 0}},
                                              {"gray", {128, 128, 128}}, {"yellow", {255, 255, 0}}};
  std::map<std::string, Found> found;
  for (const auto& [name, colour] : colours) {
    Found& f = found[name] = {0, 0, 0};
    for (int64_t y = 0; y < side; ++y)
      for (int64_t x = 0; x < side; ++x)
        if (picture.at(x, y) == colour) f.x += double(x), f.y += double(y), ++f.pixels;
    f.x /= double(f.pixels), f.y /= double(f.pixels);
  }
  return found;
}

bool is_square(const Found& shape) { return shape.pixels == 11 * 11; }
const char* name_of(const Found& shape) { return is_square(shape) ? "square" : "circle"; }

}  // namespace

TEST_CASE("a picture has six shapes, one of each colour, that do not touch") {
  std::set<int64_t> sizes;
  for (const Picture& picture : draw_shapes(1, 50).pictures) {
    int64_t inked = 0;
    for (const Colour& pixel : picture.pixels) inked += pixel != Colour{255, 255, 255};
    for (const auto& entry : shapes_in(picture)) {
      const Found& shape = entry.second;
      sizes.insert(shape.pixels);
      inked -= shape.pixels;
      CHECK(shape.x == std::floor(shape.x));
    }
    CHECK(inked == 0);
  }
  CHECK(sizes == std::set<int64_t>{97, 121});  // circles of radius 5, squares of 11
}

TEST_CASE("answers are what one sees in the picture") {
  const Examples examples = draw_shapes(1, 200);
  std::map<std::string, std::map<std::string, int64_t>> answers;
  for (const Question& q : examples.questions) {
    const auto shapes = shapes_in(examples.pictures[size_t(q.picture)]);
    const auto named = std::ranges::find_if(shapes, [&](const auto& entry) {
      return q.text.find(" " + entry.first + " ") != std::string::npos;
    });
    REQUIRE(named != shapes.end());
    const Found& one = named->second;
    std::vector<std::pair<double, std::string>> others;
    int64_t alike = 0;
    for (const auto& [name, shape] : shapes) {
      alike += is_square(shape) == is_square(one);
      if (name != named->first)
        others.emplace_back(std::hypot(shape.x - one.x, shape.y - one.y), name_of(shape));
    }
    std::ranges::sort(others);
    const std::map<std::string, std::string> expected{{"which shape", name_of(one)},
                                                      {"left half", one.x < 37 ? "yes" : "no"},
                                                      {"upper half", one.y < 37 ? "yes" : "no"},
                                                      {"closest one", others.front().second},
                                                      {"furthest one", others.back().second},
                                                      {"how many alike", std::to_string(alike)}};
    CHECK_MESSAGE(q.answer == expected.at(q.kind), q.text);
    ++answers[q.kind][q.answer];
  }
  CHECK(answers.size() == shape_kinds.size());
  for (const char* kind : {"which shape", "left half", "upper half"})  // no answer is a good guess
    for (const auto& entry : answers[kind]) CHECK(entry.second > 200);
  CHECK(answers["how many alike"].size() == 6);
}

TEST_CASE("each picture has ten questions about one shape, then ten about several") {
  const Examples examples = draw_shapes(7, 3);
  REQUIRE(examples.questions.size() == 60);
  for (size_t i = 0; i < 60; ++i) {
    const Question& q = examples.questions[i];
    CHECK(q.picture == int64_t(i / 20));
    const auto kind = std::ranges::find(shape_kinds, q.kind) - shape_kinds.begin();
    CHECK((size_t(kind) >= relational_from) == (i % 20 >= 10));
  }
}

TEST_CASE("a picture depends on its number alone") {
  const Examples some = draw_shapes(5, 3), one = draw_shapes(6, 1);
  CHECK(some.pictures[1] == one.pictures[0]);
  CHECK(some.questions[20].text == one.questions[0].text);
  CHECK_FALSE(some.pictures[0] == some.pictures[1]);
}
