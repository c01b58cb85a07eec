#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

std::string contents(const std::string& path) {
  std::ifstream file(std::string(GRADUS_TEST_DATA) + "/../" + path);
  REQUIRE_MESSAGE(file, path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The blocks between ``` of this language, without the fences.
std::vector<std::string> blocks(const std::string& text, const std::string& language) {
  std::vector<std::string> found;
  std::istringstream lines(text);
  bool inside = false, wanted = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      inside = !inside;
      wanted = inside && line == "```" + language;
      if (wanted) found.emplace_back();
    } else if (wanted) {
      found.back() += line + "\n";
    }
  }
  return found;
}

std::string output_of(const std::string& program) {
  const std::string path = "readme_test.out";
  REQUIRE(std::system((program + " > " + path).c_str()) == 0);
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  std::filesystem::remove(path);
  return text.str();
}

}  // namespace

TEST_CASE("the notes show the programs that the tests compile, to the letter") {
  const std::string first = contents("examples/first/main.cpp");
  CHECK(contents("README.md").find("```cpp\n" + first + "```") != std::string::npos);

  const std::string example = contents("tests/core/worked_example_test.cpp");
  const size_t begin = example.find("/// Running sums"), end = example.find("\n\n}  // namespace");
  REQUIRE(end != std::string::npos);
  const std::string block = example.substr(begin, end - begin);
  CHECK(contents("core/README.md").find("```cpp\n" + block + "\n```") != std::string::npos);
}

TEST_CASE("the chapter on layers of one's own shows its program and what that prints") {
  const std::string notes = contents("examples/custom_layer/README.md"),
                    program = contents("examples/custom_layer/main.cpp"),
                    output = output_of(GRADUS_CUSTOM_LAYER);
  for (const std::string& block : blocks(notes, "cpp"))
    CHECK_MESSAGE(program.find(block) != std::string::npos, block);
  const std::vector<std::string> printed = blocks(notes, "");
  REQUIRE(printed.size() == 3);
  for (const std::string& block : printed)
    CHECK_MESSAGE(output.find(block) != std::string::npos, block);
  CHECK(output.find("rms_norm is its composition: true") != std::string::npos);
  for (const char* layer : {"mish", "Highway", "Standardise", "This function"})
    CHECK(output.find(std::string(layer) + " passes.") != std::string::npos);
}
