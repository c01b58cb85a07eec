#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files/atomic_file.h"
#include "core/files/replaceable.h"
#include "core/tensor/error.h"
#include "examples/live/page_template.h"
#include "examples/step/base64.h"
#include "examples/step/json_text.h"
#include "examples/step/lesson_text.h"
#include "examples/step/lessons.h"

namespace {

using namespace gradus;
using nlohmann::json;

constexpr int lesson_count = 6;

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(fmt::format("{}: cannot be read", path));
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A script, which must not end the element that holds it.
std::string script(const std::string& path) {
  std::string text = contents(path);
  for (const char* end : {"</script", "<!--"})
    if (text.find(end) != text.npos) throw Error(fmt::format("{}: has '{}' in it", path, end));
  return text;
}

void write_live_page(const std::string& folder, const std::string& path) {
  const std::string_view head =
      std::string_view(live_template).substr(0, live_template.find("<style>"));
  check_replaceable(
      path, [=](const std::string& file) { return begins_with(file, head); }, "a live page");
  const std::string engine = script(folder + "/engine.js");
  const std::string wasm = step::base64(contents(folder + "/engine.wasm.gz"));
  std::string lessons;
  json texts = json::array();
  for (int number = 1; number <= lesson_count; ++number) {
    const std::string name = std::to_string(number);
    lessons += (number > 1 ? "," : "[") +
               step::page_data(step::open_trace(name).trace, nullptr, name, true);
    const step::PageText text = step::lesson_text(name);
    texts.push_back({{"en", text.english}, {"zh", text.chinese}});
  }
  lessons += "]";
  const std::string told = step::json_text(texts);
  const std::string model = step::base64(contents("runs/lesson5.safetensors"));  // lesson 5 made it
  const std::string nothing =
      step::page_data(Trace(), nullptr, "", true);  // until a lesson is open
  std::vector<std::string_view> pieces;
  std::string_view rest = live_template;
  const std::pair<const char*, std::string_view> parts[] = {
      {"{{lessons}}", lessons}, {"{{lesson_texts}}", told}, {"{{model}}", model},
      {"{{wasm}}", wasm},       {"{{engine}}", engine},     {"{{lesson}}", "{}"},
      {"{{trace}}", nothing}};
  for (const auto& [mark, value] : parts) {
    const size_t at = rest.find(mark);
    pieces.insert(pieces.end(), {rest.substr(0, at), value});
    rest.remove_prefix(at + std::string_view(mark).size());
  }
  pieces.push_back(rest);
  write_file(path, pieces);
}

}  // namespace

/// Writes the page in which the engine runs: live_page FOLDER FILE.html, with the folder of
/// engine.js and engine.wasm.gz.
int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: live_page FOLDER FILE.html\n", stderr);
    return 2;
  }
  try {
    write_live_page(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::fputs(fmt::format("live_page: {}\n", error.what()).c_str(), stderr);
    return 1;
  }
}
