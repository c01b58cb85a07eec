#include "core/tensor/version.h"

#include <doctest/doctest.h>

#include "tests/files.h"

using namespace gradus::testing;

TEST_CASE("the version is the one that CMakeLists.txt states") {
  CHECK(contains(contents(GRADUS_TEST_DATA "/../CMakeLists.txt"),
                 "project(gradus VERSION " + std::string(gradus::version()) + " "));
}
