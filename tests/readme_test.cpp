#include <doctest/doctest.h>

#include <algorithm>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "core/tensor/processor.h"
#include "tests/program.h"
#include "tests/sanitized.h"

using namespace gradus::testing;

namespace {

std::string file(const std::string& path) { return contents(GRADUS_TEST_DATA "/../" + path); }

/// The README in each language.
const std::vector<std::string> readmes{"README.md", "README.zh.md"};

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

}  // namespace

TEST_CASE("the notes show the programs that the tests compile, to the letter") {
  const std::string first = file("examples/first/main.cpp");
  for (const std::string& readme : readmes)
    CHECK(file(readme).find("```cpp\n" + first + "```") != std::string::npos);

  const std::string circle = file("tests/consumer/circle.cpp");
  CHECK(file("examples/training/README.md").find("```cpp\n" + circle + "```") != std::string::npos);

  const std::string example = file("tests/core/autograd/worked_example_test.cpp");
  const size_t begin = example.find("/// Running sums"), end = example.find("\n\n}  // namespace");
  REQUIRE(end != std::string::npos);
  const std::string block = example.substr(begin, end - begin);
  CHECK(file("core/README.md").find("```cpp\n" + block + "\n```") != std::string::npos);
}

TEST_CASE("the README shows what its first program prints") {
  const std::string output = run(Folder(), GRADUS_FIRST).out;
  for (const std::string& readme : readmes)
    CHECK_MESSAGE(
        file(readme).find("$ build/release/first\n" + output + "```") != std::string::npos, output);
}

TEST_CASE("the README has the same blocks, links and pictures in every language") {
  const std::string english = file("README.md"), chinese = file("README.zh.md");
  CHECK(english.find("\n[中文](README.zh.md)\n") != std::string::npos);
  CHECK(chinese.find("\n[English](README.md)\n") != std::string::npos);
  for (const char* language : {"", "cpp", "c++"}) {
    const auto in_english = blocks(english, language), in_chinese = blocks(chinese, language);
    REQUIRE(in_english.size() == in_chinese.size());
    for (size_t i = 0; i < in_english.size(); ++i)
      if (!in_english[i].starts_with("$ ./run step") &&
          in_english[i].find("[…]") == std::string::npos)
        CHECK(in_english[i] == in_chinese[i]);
  }
  const auto links_of = [](std::string text) {
    text = std::regex_replace(text, std::regex("README\\.zh\\.md"), "README.md");
    const std::regex link("\\]\\(([^)#]+)");
    std::vector<std::string> links(std::sregex_token_iterator(text.begin(), text.end(), link, 1),
                                   {});
    std::ranges::sort(links);
    return links;
  };
  CHECK(links_of(english) == links_of(chinese));
}

// Under a sanitizer two of its six epochs take a quarter of an hour; another test trains those.
TEST_CASE("the README shows what its first command prints, translates and draws" *
          doctest::skip(sanitized)) {
  if (!gradus::reproducible()) {
    MESSAGE("skipped: this processor has no AVX2, or OpenBLAS computes products");
    return;
  }
  const Folder folder;
  const Result trained = run(folder, "$translate");
  REQUIRE_MESSAGE(trained.status == 0, trained.err);
  // How fast it is differs from run to run.
  const std::regex speed("[0-9,]+ tokens/s|after [0-9:]+|[0-9]+ threads?");
  const std::string printed = std::regex_replace(trained.out, speed, "");
  for (const std::string& readme : readmes) {
    std::istringstream shown(blocks(file(readme), "").at(0));
    for (std::string line; std::getline(shown, line);) {
      if (line.starts_with("[")) continue;
      CHECK_MESSAGE(printed.find(std::regex_replace(line, speed, "") + "\n") != std::string::npos,
                    line);
    }
  }
  const std::string sentence = "echo \"My father bought four skirts yesterday morning.\" | ",
                    arguments = "translate text --model runs/translate.safetensors";
  const std::string translation = run(folder, sentence + "$" + arguments).out;
  for (const std::string& readme : readmes)
    CHECK_MESSAGE(file(readme).find("$ " + sentence + "./run " + arguments + "\n" + translation) !=
                      std::string::npos,
                  translation);
  const bool is_same_picture =
      contents(folder / "runs/attention.svg") == file("examples/translate/attention.svg");
  CHECK(is_same_picture);
}

TEST_CASE("the chapter on layers of one's own shows its program and what that prints") {
  const std::string notes = file("examples/custom_layer/README.md"),
                    program = file("examples/custom_layer/main.cpp"),
                    output = run(Folder(), GRADUS_CUSTOM_LAYER).out;
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
