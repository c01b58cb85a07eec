#include "examples/step/lessons.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "core/ops/reduce.h"
#include "core/tensor/processor.h"
#include "examples/step/line_editor.h"
#include "layers/recurrent/lstm.h"
#include "tests/files.h"
#include "tests/program.h"
#include "tests/translate/toy.h"

using namespace gradus;
using namespace gradus::step;

namespace {

constexpr const char* languages[]{"en", "zh"};

/// The page in this folder.
std::string readme(const std::string& folder, const std::string& language) {
  return fmt::format("{}/../{}README{}.md", GRADUS_TEST_DATA, folder,
                     language == "en" ? "" : "." + language);
}

std::string readme(int lesson, const std::string& language = "en") {
  return readme(fmt::format("examples/step/lesson{}/", lesson), language);
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

/// Without source lines, which move whenever somebody edits a layer, and without who called whom,
/// which depends on what the compiler made inline.
std::string without_lines(const std::string& text) {
  const std::string place = "[^\\s]+\\.(cpp|h):[0-9]+";
  const std::string others =
      std::regex_replace(text, std::regex("\n  (called in)? +" + place + "  [^\n]+"), "");
  return std::regex_replace(others, std::regex("\\s+" + place), "");
}

/// Runs the lesson by the commands of the page, and compares what it prints with the page.
void check_page(int lesson, const std::string& page, const std::string& language) {
  CAPTURE(page);
  const testing::Folder folder;
  const testing::Result result =
      testing::run(folder, fmt::format("$step {} --language {} --commands '{}'", lesson, language,
                                       std::filesystem::absolute(page).string()));
  CHECK(result.status == 0);
  CHECK(without_lines(result.out) == without_lines(shown(page)));
}

}  // namespace

TEST_CASE("the lessons print what their pages show, to the letter") {
  for (const std::string language : languages) {
    for (const int lesson : {1, 2, 3, 4, 6}) check_page(lesson, readme(lesson, language), language);
    check_page(1, readme("", language), language);
    check_page(2, readme("examples/step/", language), language);
  }
}

TEST_CASE("a lesson has the same commands in every language, and says which it shows") {
  const auto commands_of = [](const std::string& page) {
    const std::regex command("\n\\(step\\) [^\n]+");
    const std::string text = testing::contents(page);
    return std::vector<std::string>(std::sregex_token_iterator(text.begin(), text.end(), command),
                                    {});
  };
  for (const int lesson : {1, 2, 3, 4, 5, 6}) {
    CAPTURE(lesson);
    CHECK(commands_of(readme(lesson)).size() > 5);
    CHECK(commands_of(readme(lesson, "zh")) == commands_of(readme(lesson)));
    CHECK(testing::contents(readme(lesson)).find("\n[中文](README.zh.md)\n") != std::string::npos);
    const std::string chinese = testing::contents(readme(lesson, "zh"));
    CHECK(chinese.find("\n[English](README.md)\n") != std::string::npos);
    CHECK(chinese.find(fmt::format("\n$ ./run step {} --language zh\n", lesson)) !=
          std::string::npos);
  }
}

TEST_CASE("in no formula does g mean anything but the gradient") {
  for (const int lesson : {1, 2, 3, 4, 6}) {
    const Opened opened = open_trace(std::to_string(lesson));
    for (const TraceNode& node : opened.trace.nodes())
      CHECK_FALSE(std::regex_search(node.formula, std::regex("\\bg\\b")));
  }
  Generator generator(1);
  Trace trace;
  {
    const auto recording = trace.record();
    sum(LSTM(2, 2, generator)(ones({1, 3, 2})).output).backward();
  }
  int fused = 0;
  for (const TraceNode& node : trace.nodes()) {
    CHECK_FALSE(std::regex_search(node.formula, std::regex("\\bg\\b")));
    fused += node.op.starts_with("lstm");
  }
  CHECK(fused > 0);
}

TEST_CASE("the lesson on the translator trains it and prints what its page shows") {
  if (!reproducible()) {
    MESSAGE("skipped: this processor has no AVX2, or OpenBLAS computes products");
    return;
  }
  for (const std::string language : languages) check_page(5, readme(5, language), language);
}

TEST_CASE("the commands of the lesson on the translator work on any model") {
  namespace toy = translate::toy;
  const testing::Folder folder;
  translate::Trained trained = toy::untrained(toy::pairs(), {.embedding = 8, .hidden = 8});
  toy::make_decided(trained.model, 1);
  save(folder / "model", trained);
  Session session(translator({"We drink tea.", folder / "model"}));
  CHECK(session.trace().keys == std::vector<std::string>{"we", "drink", "tea", "."});
  CHECK(session.trace().queries.back() == "<eos>");

  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path);  // the page goes here
  std::ostringstream output;
  CHECK(replay(session, readme(5), output) == 0);
  std::filesystem::current_path(before);
  CHECK_MESSAGE(output.str().find("error") == std::string::npos, output.str());
  CHECK(testing::contents(folder / "runs/lesson5.html").find("</html>") != std::string::npos);
}
