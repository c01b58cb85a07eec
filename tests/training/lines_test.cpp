#include "examples/training/lines.h"

#include <doctest/doctest.h>

#include <sstream>

#include "core/tensor/error.h"
#include "tests/files.h"

using namespace gradus;
using namespace gradus::testing;
using namespace gradus::training;

namespace {

const LineFormat numbers{"number", "expected a file with a number on each line"};

}  // namespace

TEST_CASE("lines are given with their numbers, and those with a flaw are counted") {
  std::istringstream file(
      "\xEF\xBB\xBF"
      "7\r\nseven\n \n8\neight");
  std::vector<std::pair<std::string, int64_t>> seen;
  const auto warnings =
      read_lines(file, "data", numbers, [&](std::string_view line, int64_t number) -> Flaw {
        if (const Flaw flaw = flaw_of(line); flaw != usable) return flaw;
        seen.emplace_back(line, number);
        return line.size() > 1 ? "of letters" : usable;
      });
  CHECK(seen == std::vector<std::pair<std::string, int64_t>>{
                    {"7", 1}, {"seven", 2}, {"8", 4}, {"eight", 5}});
  CHECK(warnings ==
        std::vector<std::string>{"data: skipped 2 lines of letters, the first at line 2",
                                 "data: skipped 1 line of white space only, the first at line 3"});
}

TEST_CASE("an error of a line says where it is") {
  std::istringstream file("7\nseven\n");
  try {
    read_lines(file, "data", numbers, [](std::string_view line, int64_t) -> Flaw {
      if (line == "seven") throw Error("expected a number, got 'seven'");
      return usable;
    });
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "data, line 2: expected a number, got 'seven'");
  }
}

TEST_CASE("a text keeps its blank lines and loses those that are no text") {
  const Folder folder;
  write(folder / "text", "One.\r\n\nTwo\xFF\nThree");
  CHECK(read_text(folder / "text") == "One.\n\nThree\n");
  write(folder / "empty", "");
  CHECK_THROWS_WITH(read_text(folder / "empty"),
                    ((folder / "empty") + ": is empty; expected a UTF-8 text file").c_str());
  CHECK_THROWS_WITH(read_text(folder.path),
                    (folder.path + ": is a folder; expected a UTF-8 text file").c_str());
}
