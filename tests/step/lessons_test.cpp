#include "examples/step/lessons.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "examples/step/line_editor.h"

using namespace gradus;
using namespace gradus::step;

namespace {

std::string readme(int lesson) {
  return fmt::format("{}/../examples/step/lesson{}/README.md", GRADUS_TEST_DATA, lesson);
}

/// What the README shows of the session: its blocks that begin with a prompt.
std::string shown(const std::string& path) {
  std::ifstream file(path);
  REQUIRE_MESSAGE(file, path);
  std::string text, block;
  bool is_inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("```")) {
      if (block.starts_with("$ ./run step"))
        block.erase(0, block.find('\n') + 1);
      else if (!block.starts_with("(step) "))
        block.clear();
      text += block;
      block.clear();
      is_inside = !is_inside;
    } else if (is_inside) {
      block += line + "\n";
    }
  }
  return text;
}

}  // namespace

TEST_CASE("the lessons print what their pages show, to the letter") {
  for (int lesson = 1; lesson <= 2; ++lesson) {
    CAPTURE(lesson);
    Opened opened = open_trace(std::to_string(lesson));
    std::ostringstream output;
    output << opened.title;
    Session session(std::move(opened.trace));
    CHECK(replay(session, readme(lesson), output) == 0);
    CHECK(output.str() == shown(readme(lesson)));
  }
}
