#include "core/version.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>

TEST_CASE("the version is the one that CMakeLists.txt states") {
  std::ifstream file(std::string(GRADUS_TEST_DATA) + "/../CMakeLists.txt");
  std::stringstream text;
  text << file.rdbuf();
  CHECK(text.str().find("project(gradus VERSION " + std::string(gradus::version()) + " ") !=
        std::string::npos);
}
