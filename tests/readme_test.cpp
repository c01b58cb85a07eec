#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>

namespace {

std::string contents(const std::string& path) {
  std::ifstream file(std::string(GRADUS_TEST_DATA) + "/../" + path);
  REQUIRE_MESSAGE(file, path);
  std::stringstream text;
  text << file.rdbuf();
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
