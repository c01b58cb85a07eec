#include "examples/live/chinese.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>

#include "core/core.h"
#include "examples/step/language.h"
#include "examples/step/lessons.h"
#include "examples/step/views.h"
#include "examples/terminal/display_width.h"
#include "tests/files.h"
#include "tests/program.h"
#include "tests/step/answers.h"

using namespace gradus;
using namespace gradus::step;

namespace {

namespace fs = std::filesystem;
using Texts = std::set<std::string>;

/// While it lives the stepper speaks Chinese.
struct InChinese {
  InChinese() { speak(Language::zh); }
  ~InChinese() { speak(Language::en); }
  InChinese(const InChinese&) = delete;
  InChinese& operator=(const InChinese&) = delete;
};

const std::string literals = R"re(((?:"(?:[^"\\]|\\.)*"\s*)+))re";

/// What literals beside each other, as they stand in a source, are together.
std::string value_of(const std::string& source) {
  std::string text;
  bool is_inside = false;
  for (size_t at = 0; at < source.size(); ++at) {
    const char c = source[at];
    if (c == '"')
      is_inside = !is_inside;
    else if (is_inside && c == '\\')
      text += source[++at] == 'n' ? '\n' : source[at];
    else if (is_inside)
      text += c;
  }
  return text;
}

/// The first group of each match in the sources of these folders, but for the tables.
Texts found_in(const std::vector<const char*>& folders, const std::string& pattern,
               const std::string& before = "") {
  const std::regex regex(pattern);
  Texts result;
  for (const char* folder : folders)
    for (const auto& entry :
         fs::recursive_directory_iterator(fs::path(GRADUS_TEST_DATA).parent_path() / folder)) {
      const fs::path& path = entry.path();
      if ((path.extension() != ".h" && path.extension() != ".cpp") ||
          path.filename().string().starts_with("chinese"))
        continue;
      const std::string source =
          std::regex_replace(testing::contents(path.string()), std::regex("//[^\n]*"), "");
      for (std::sregex_iterator at(source.begin(), source.end(), regex), end; at != end; ++at)
        result.insert(before + value_of((*at)[1]));
    }
  return result;
}

/// What `said` and `counted` are given.
Texts said_texts(const std::vector<const char*>& folders = {"examples/step", "examples/terminal"}) {
  Texts texts = found_in(folders, R"re(\bsaid\(\s*)re" + literals);
  texts.merge(found_in(folders, R"re(\bcounted\([^;]*?,\s*)re" + literals + R"re(\))re", "{} "));
  return texts;
}

/// The places for values, by the number of the value: {0, ""}, {1, ":>11"} of "{} {:>11}".
std::map<int, std::string> places_in(std::string_view text) {
  const std::string all(text);
  const std::regex place(R"(\{(\d*)(:(?:[^{}]|\{\})*)?\})");
  std::map<int, std::string> result;
  int next = 0;
  for (std::sregex_iterator at(all.begin(), all.end(), place), end; at != end; ++at) {
    const int number = (*at)[1].length() == 0 ? next++ : std::stoi((*at)[1]);
    CHECK_MESSAGE(result.emplace(number, (*at)[2]).second, all);
    next += (*at)[2].str().find("{}") != std::string::npos;
  }
  return result;
}

bool is_chinese(std::string_view text) {
  return terminal::display_width(text) > static_cast<int>(std::ranges::count_if(text, [](char c) {
           return (c & 0xC0) != 0x80;  // the first byte of a character
         }));
}

}  // namespace

TEST_CASE("all that the stepper says has words in Chinese") {
  const Texts texts = said_texts();
  CHECK(texts.size() > 200);
  for (const std::string& text : texts) CHECK_MESSAGE(chinese().contains(text), text);
}

TEST_CASE("the stepper says all that it has Chinese words for") {
  Texts known = found_in({"core", "layers", "examples"}, literals);
  known.merge(said_texts());
  for (const auto& entry : chinese())
    CHECK_MESSAGE(known.contains(std::string(entry.first)), entry.first);
}

TEST_CASE("what is said in Chinese takes the same values, and ends a line where English does") {
  for (const auto& entry : chinese()) {
    CAPTURE(entry.first);
    CHECK(places_in(entry.first) == places_in(entry.second));
    CHECK(entry.first.ends_with("\n") == entry.second.ends_with("\n"));
  }
}

TEST_CASE("what the live page's engine says has words in Chinese, and those are all") {
  const Texts texts = said_texts({"examples/live"});
  CHECK(texts.size() > 40);
  for (const std::string& text : texts) CHECK_MESSAGE(live::chinese().contains(text), text);
  const Texts shared{"the sentence is not valid UTF-8",
                     "the sentence is empty"};  // lesson 5 says them
  for (const auto& entry : live::chinese()) {
    CAPTURE(entry.first);
    CHECK((texts.contains(std::string(entry.first)) || shared.contains(std::string(entry.first))));
    CHECK(places_in(entry.first) == places_in(entry.second));
  }
}

TEST_CASE("help is Chinese in every line, and commands stay as they are") {
  const InChinese words;
  Session session(scalar_expression());
  const std::string overview = session.run("help");
  std::istringstream lines(overview + lesson_list());
  for (std::string line; std::getline(lines, line);)
    CHECK_MESSAGE((line.empty() || is_chinese(line)), line);
  for (const std::string& command : session.completions("")) {
    check_contains(overview, "  " + command);
    std::istringstream help(session.run("help " + command));
    std::string line;
    std::getline(help, line);
    CHECK(line.starts_with(command));
    while (std::getline(help, line)) CHECK_MESSAGE((line.empty() || is_chinese(line)), line);
  }
}

TEST_CASE("places, changes and errors are told in Chinese, with aligned columns") {
  const InChinese words;
  CHECK(answer({"go 5 backward"}) ==
        "反向 · 节点 5/8 · output = tanh                         scalar_expression.cpp:15\n"
        "  y = tanh(x)\n"
        "  g = dL/dy                来自 error  -3.27\n"
        "  dL/dx = g · (1 − y · y)  传给 add 4  -1.951\n");
  check_contains(answer({"print 常量 6"}), "  常量 6  1\n");
  check_contains(answer({"check all"}), "  5 个运算中，5 个的梯度规则与有限差分一致，0 个不一致\n");
  check_contains(answer({"set weight = nan", "check 5"}),
                 "∞ 未检验：数值不是有限数（值的 1 个元素中有 1 个不是有限数）");
  CHECK(answer({"until op tanhh"}) == "error: 这份记录中没有运算 “tanhh”；是否想输入 “tanh”？");
  CHECK(answer({"print y"}) == "error: 前向传播尚未开始：用 “next” 开始，或指明节点：“print 4.y”");
}

TEST_CASE("why elements were not checked is told in Chinese, as far as the library says it") {
  const InChinese words;
  Verdict verdict;
  const auto reason = [&](const char* text) {
    verdict.reason = text;
    return reason_text(verdict);
  };
  CHECK(reason("") == "");
  CHECK(reason("something else, 2 of 8 elements") == "something else, 2 of 8 elements");
  CHECK(reason("2 of 8 elements of the value are not finite, 1 of 8 elements of the value lie on a "
               "kink and took no part") ==
        "值的 8 个元素中有 2 个不是有限数，值的 8 个元素中有 1 个位于不可导点，未参与检验");

  const Tensor x = parameter("x", tensor({0, -1, 2}));
  Trace trace;
  {
    const auto recording = trace.record();
    sum(relu(x)).backward();
  }
  Session session(std::move(trace));
  check_contains(answer(session, {"check relu"}), "值的 3 个元素中有 1 个位于不可导点，未参与检验");
}

TEST_CASE("lines of Chinese end between its characters, and no line begins with what closes") {
  CHECK(wrapped("为反向传播保留，供以下节点使用：add 12（求 dL/da）", 22, 2) ==
        "  为反向传播保留，供以\n"
        "  下节点使用：add 12\n"
        "  （求 dL/da）\n");
  CHECK(wrapped("一二三四五，六", 12, 0) == "一二三四五，\n六\n");
  CHECK(wrapped("一二三四五，六", 10, 0) == "一二三四\n五，六\n");
  CHECK(wrapped("one two  three", 8, 1) == " one two\n three\n");
}

TEST_CASE("the language is the environment's, unless an option names it") {
  const testing::Folder folder;
  const auto help = [&](const std::string& environment, const std::string& option = "") {
    const std::string command = "env -u LC_ALL -u LC_MESSAGES -u LANG " + environment + " $step ";
    return testing::run(folder, command + option + " --help").out;
  };
  const std::string chinese = "标量表达式", english = "a scalar expression";
  check_contains(help(""), english);
  check_contains(help("LANG=zh_CN.UTF-8"), chinese);
  check_contains(help("LANG=zh_CN.UTF-8 LC_ALL=C"), english);
  check_contains(help("LANG=C LC_MESSAGES=zh_TW"), chinese);
  check_contains(help("LANG=C", "--language zh"), chinese);
  check_contains(help("LANG=zh_CN", "--language=en"), english);
  const testing::Result wrong = testing::run(folder, "$step --language xx");
  CHECK(wrong.status != 0);
  check_contains(wrong.err, "--language: xx not in {en,zh}");
}
