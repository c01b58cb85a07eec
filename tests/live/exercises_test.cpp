#include "examples/live/exercises.h"

#include <doctest/doctest.h>

#include "core/tensor/error.h"

using namespace gradus;
using namespace gradus::live;

namespace {

const std::vector<Exercise>& ours() {
  static const std::vector<Exercise> all = read_exercises(exercises_text);
  return all;
}

std::string hint_of(int number, const std::string& answer) {
  const Marked marked = mark(ours()[static_cast<size_t>(number)], answer);
  return marked.is_right ? "right" : marked.hint.en;
}

std::string error_of(const std::string& text) {
  try {
    read_exercises(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

const std::string good =
    "title: Twice | 两倍\ny: 2 * a\na: [1, 2]\nfind: a\nanswer: 2 * g\nhint: It is linear.\n";

}  // namespace

TEST_CASE("there are ten exercises, in two languages, whose answers agree with differences") {
  REQUIRE(ours().size() == 10);
  for (const Exercise& e : ours()) {
    CAPTURE(e.title.en);
    CHECK(mark(e, e.answer).is_right);
    for (const Words& words : {e.title, e.task, e.hint}) CHECK(words.en != words.zh);
  }
}

TEST_CASE("a wrong derivative is told how it is wrong") {
  CHECK(hint_of(0, "-g * b") == "The sign is wrong.");
  CHECK(hint_of(0, "2 * g * b") == "Twice as much as it should be.");
  CHECK(hint_of(0, "g * b / 2") == "Half of what it should be.");
  CHECK(hint_of(0, "3 * g * b") == "A factor is wrong: 3 times what it should be.");
  CHECK(hint_of(0, "b").starts_with("The incoming gradient g is missing"));
  CHECK(hint_of(5, "g").starts_with(
      "The sum over axis 0 is missing: b takes part once for each of its 3"));
  CHECK(hint_of(6, "g * x")
            .starts_with("The sum over axis 0 is missing: w takes part once for each of its 4"));
  CHECK(hint_of(8, "g' @ a").starts_with("Transposed"));
  CHECK(hint_of(7, "g").starts_with("The shape is (2, 2), but a gradient has the shape"));
  CHECK(hint_of(0, "sum(g * b)").starts_with("That is the sum of the right elements"));
  CHECK(hint_of(9, "y * g") == ours()[9].hint.en);
  CHECK(hint_of(5, "sum(g, 0)") == "right");
  CHECK(hint_of(3, "g·(1 − y²)") == "right");
}

TEST_CASE("an answer that is not finite is wrong, not right") {
  CHECK(hint_of(0, "g * b * log(-1 * abs(a))") != "right");
  CHECK(hint_of(0, "g * b / 0") != "right");
}

TEST_CASE("a teacher's file is read, and errors name its line") {
  const auto read = read_exercises("# mine\n\n" + good + "\n\n" + good);
  REQUIRE(read.size() == 2);
  CHECK(read[0].title.zh == "两倍");
  CHECK(read[0].hint.zh == "It is linear.");
  CHECK(error_of("") == "exercises: there is none in this file");
  CHECK(error_of("title Twice\n") == "exercises, line 1: expected 'key: value'");
  CHECK(error_of("title: A\nfoo: 1\n").starts_with("exercises, line 2: expected title, task, y,"));
  CHECK(error_of("title: A\ny: 2 * a\na: [1, [2]]\n")
            .starts_with("exercises, line 3: expected a number, a list"));
  CHECK(error_of("title: A\ny: a\na: 1\nfind: b\nanswer: g\n")
            .starts_with("exercises, line 5: find: 'b' is not an input"));
  CHECK(error_of("title: A\ny: a\na: 1\nfind: a\n").ends_with("has no 'answer:'"));
  CHECK(error_of("title: A\ny: a * q\na: 1\nfind: a\nanswer: g\n").find("'q' is unknown here") !=
        std::string::npos);
  CHECK(error_of("title: A\ny: 3 * a\na: 1\nfind: a\nanswer: g\n")
            .find("is wrong: A factor is wrong") != std::string::npos);
  CHECK(error_of("g: [1]\n").find("that is not g") != std::string::npos);
  CHECK(error_of(std::string(70000, '\n')).find("at most 65536 bytes") != std::string::npos);
}
