#include <doctest/doctest.h>
#include <sys/resource.h>

#include "tests/program.h"

using namespace gradus::testing;

namespace {

/// What the programs that have ended so far took of the processor: on a busy machine, unlike the
/// clock, a measure of what they do.
double seconds_of_children() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

TEST_CASE("step opens the first lesson in less than two seconds and reads commands from a pipe") {
  const Folder folder;
  const double before = seconds_of_children();
  const Result result = run(folder, "printf 'next\\nquit\\nnext\\n' | $step");
  CHECK(seconds_of_children() - before < 2);
  CHECK(result.status == 0);
  CHECK(result.err == "");
  CHECK(contains(result.out, "Lesson 1 of 6"));
  CHECK(contains(result.out, "(step) next\nforward · node 2 of 8 · multiply"));
  CHECK(result.out.ends_with("(step) quit\n"));
  CHECK_FALSE(contains(result.out, "\x1b"));
}

TEST_CASE("a script goes on after a command that failed, and its status tells") {
  const Folder folder;
  write(folder / "script", "# a comment\n\nnext\nfrobnicate\nprint y\n");
  const Result result = run(folder, "$step 1 --commands script");
  CHECK(result.status == 1);
  CHECK(contains(result.out, "(step) frobnicate\nerror: there is no command 'frobnicate'"));
  CHECK(contains(result.out, "(step) print y\n  multiply 2  -1\n"));
  CHECK_FALSE(contains(result.out, "comment"));
}

TEST_CASE("a page shows what the commands before it have changed") {
  const Folder folder;
  write(folder / "script", "set weight = nan\n");
  const Result result = run(folder, "$step 1 --commands script --html page.html");
  CHECK(result.status == 0);
  CHECK(contains(result.out, "result, loss"));
  CHECK(contains(contents(folder / "page.html"), "\"nans\":1"));
  CHECK_FALSE(contains(contents(folder / "page.html"), "\"other\":null"));
}

TEST_CASE("what step cannot open is refused by name") {
  const Folder folder;
  write(folder / "text", "not a trace");
  write(folder / "empty", "");
  run(folder, "echo 'save whole.trace' | $step");
  const std::string whole = contents(folder / "whole.trace");
  REQUIRE(whole.size() > 100);
  write(folder / "cut", whole.substr(0, whole.size() - 10));
  for (const std::string name : {"text", "empty", "cut", "none", "."}) {
    const Result result = run(folder, "$step " + name + " < /dev/null");
    CHECK(result.status == 1);
    CHECK(result.out == "");
    CHECK_MESSAGE(result.err.starts_with("step: " + name + ": "), result.err);
  }
  CHECK(contains(run(folder, "$step 7").err, "there is no lesson 7; these are:"));
  CHECK(contains(run(folder, "$step 1 --commands none").err, "none: cannot be read"));
  CHECK(contains(run(folder, "$step 5 --sentence ' '").err, "the sentence is empty"));
  CHECK(contains(run(folder, "$step 5 --sentence \"$(printf '\\377')\"").err, "UTF-8"));
  CHECK(contains(run(folder, "$step 5 --model none").err, "none: "));
  CHECK(contains(run(folder, "$step --help").out, "an LSTM cell over four time steps"));
}

TEST_CASE("step writes over pages and traces of its own, and over nobody else's files") {
  const Folder folder;
  const std::string notes = "notes that nobody has elsewhere\n";
  write(folder / "notes", notes);
  write(folder / "index.html", "<!doctype html>\n<html lang=\"en\"><title>My own</title>");
  const std::string page = contents(folder / "index.html");
  for (const std::string command :
       {"$step 1 --html notes", "echo 'html notes' | $step", "echo 'save notes' | $step",
        "$step 1 --html index.html", "echo 'html index.html' | $step"}) {
    CAPTURE(command);
    const Result result = run(folder, command);
    CHECK(contains(result.out + result.err, "and stays as it is; move it away, or choose another"));
    CHECK(contents(folder / "notes") == notes);
    CHECK(contents(folder / "index.html") == page);
  }
  write(folder / "empty", "");
  for (const int again : {1, 2}) {
    CAPTURE(again);
    CHECK(run(folder, "$step 1 --html page").status == 0);
    CHECK(run(folder, "echo 'html page' | $step").status == 0);
    CHECK(run(folder, "echo 'save trace' | $step").status == 0);
    CHECK(run(folder, "echo 'save empty' | $step").status == 0);
  }
  CHECK(contains(contents(folder / "page"), "<title>Gradus</title>"));
  CHECK(run(folder, "$step trace --html /dev/stdout >> notes").status == 0);
  CHECK(contents(folder / "notes").starts_with(notes + "<!doctype html>"));
  CHECK(contains(run(folder, "echo 'save page' | $step").out, "holds something else than a trace"));
}
