#include "examples/terminal/progress.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <limits>

#include "examples/terminal/display_width.h"

using namespace gradus::terminal;

namespace {

const EpochProgress third{.epoch = 3,
                          .epochs = 20,
                          .fraction = .58,
                          .loss = 1.234,
                          .items_per_second = 12345.4,
                          .seconds_left = 12};

std::string written(bool live, const std::function<void(Progress&)>& act) {
  std::FILE* file = std::tmpfile();
  REQUIRE(file);
  {
    Progress progress(file, live);
    act(progress);
  }
  std::rewind(file);
  std::string out;
  for (int c; (c = std::fgetc(file)) != EOF;) out += static_cast<char>(c);
  std::fclose(file);
  return out;
}

}  // namespace

TEST_CASE("durations read as a clock does") {
  CHECK(format_duration(0) == "0:00");
  CHECK(format_duration(12.4) == "0:12");
  CHECK(format_duration(59.6) == "1:00");
  CHECK(format_duration(3723) == "1:02:03");
  CHECK(format_duration(360000) == "100:00:00");
  CHECK(format_duration(-1) == "–:––");
  CHECK(format_duration(std::numeric_limits<double>::infinity()) == "–:––");
  CHECK(format_duration(std::numeric_limits<double>::quiet_NaN()) == "–:––");
}

TEST_CASE("counts have a comma every three digits") {
  CHECK(format_count(0) == "0");
  CHECK(format_count(-0.2) == "0");
  CHECK(format_count(999.6) == "1,000");
  CHECK(format_count(-1234567) == "-1,234,567");
  CHECK(format_count(123456) == "123,456");
  CHECK(format_count(std::numeric_limits<double>::quiet_NaN()) == "–");
}

TEST_CASE("the progress line fills the terminal with its bar, up to a limit") {
  const std::string line = "epoch  3/20 ███████░░░░░  58%  loss 1.234  12,345 tokens/s  0:12 left";
  CHECK(progress_line(third, display_width(line)) == line);
  CHECK(display_width(progress_line(third, 200)) == display_width(line) - 12 + 24);
}

TEST_CASE("the progress line is never wider than the terminal") {
  EpochProgress odd = third;
  for (double value : {-3.0, 0.0, 0.999, 1.0, 7.0, std::numeric_limits<double>::quiet_NaN(),
                       std::numeric_limits<double>::infinity(), 1e300}) {
    odd.fraction = odd.loss = odd.items_per_second = odd.seconds_left = value;
    for (int columns = 0; columns < 120; ++columns) {
      CHECK(display_width(progress_line(odd, columns)) <= columns);
    }
  }
}

TEST_CASE("the percentage reaches 100 at the end and not before") {
  EpochProgress almost = third;
  almost.fraction = 0.9999;
  CHECK(progress_line(almost, 80).find(" 99%") != std::string::npos);
  almost.fraction = 1;
  CHECK(progress_line(almost, 80).find("100%") != std::string::npos);
}

TEST_CASE("without a terminal there is one plain line per epoch") {
  const std::string out = written(false, [](Progress& progress) {
    for (int i = 0; i < 100; ++i) progress.update(third);
    progress.finish(third, "validation loss 1.500  BLEU 42.0");
    progress.finish(third);
  });
  CHECK(out ==
        "epoch  3/20  loss 1.234  12,345 tokens/s  validation loss 1.500  BLEU 42.0\n"
        "epoch  3/20  loss 1.234  12,345 tokens/s\n");
}

TEST_CASE("on a terminal one line is rewritten, not oftener than ten times a second") {
  const std::string out = written(true, [](Progress& progress) {
    for (int i = 0; i < 100; ++i) progress.update(third);
    progress.finish(third, "BLEU 42.0");
  });
  CHECK(out == fmt::format("\r{}\x1b[K"
                           "\repoch  3/20  loss 1.234  12,345 tokens/s  BLEU 42.0\x1b[K\n",
                           progress_line(third, 79)));
}

TEST_CASE("an interrupted line is ended") {
  CHECK(written(true, [](Progress& progress) { progress.update(third); }).back() == '\n');
  CHECK(written(true, [](Progress&) {}) == "");
  CHECK(written(false, [](Progress& progress) { progress.update(third); }) == "");
}

TEST_CASE("control codes in the figures are not passed on") {
  const std::string out =
      written(false, [](Progress& progress) { progress.finish(third, "\x1b[2J\r"); });
  CHECK(out == "epoch  3/20  loss 1.234  12,345 tokens/s  \uFFFD[2J\uFFFD\n");
}

TEST_CASE("a reader that has gone does not stop the training") {
  auto* before = std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  close(ends[0]);
  std::FILE* file = fdopen(ends[1], "w");
  for (bool live : {false, true}) {
    Progress progress(file, live);
    progress.update(third);
    progress.finish(third);
    progress.finish(third);
  }
  std::fclose(file);
  std::signal(SIGPIPE, before);
}

TEST_CASE("a file is no terminal and has 80 columns") {
  std::FILE* file = std::tmpfile();
  CHECK_FALSE(is_terminal(file));
  CHECK(terminal_columns(file) == 80);
  std::fclose(file);
}
