#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "core/files/atomic_file.h"
#include "core/files/replaceable.h"
#include "core/tensor/error.h"
#include "examples/live/page_template.h"
#include "examples/step/lessons.h"
#include "examples/step/page.h"

namespace {

using namespace gradus;

std::string whole(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) throw Error(fmt::format("{} cannot be read", path));
  std::string text;
  char buffer[65536];
  while (const size_t count = std::fread(buffer, 1, sizeof buffer, file))
    text.append(buffer, count);
  std::fclose(file);
  return text;
}

/// The page with each `{{name}}` of its template filled in.
std::string filled(std::string_view page,
                   const std::vector<std::pair<std::string, std::string>>& parts) {
  std::string text;
  for (const auto& [mark, value] : parts) {
    const size_t at = page.find(mark);
    text += page.substr(0, at);
    text += value;
    page.remove_prefix(at + mark.size());
  }
  return text + std::string(page);
}

}  // namespace

/// Writes the page in which the engine runs: live_page ENGINE.js FILE.html
int main(int argc, char** argv) try {
  if (argc != 3) {
    std::fputs("usage: live_page ENGINE.js FILE.html\n", stderr);
    return 2;
  }
  const std::string engine = whole(argv[1]);
  for (const char* end : {"</script", "<!--"})
    if (engine.find(end) != std::string::npos)
      throw Error(fmt::format("{} has '{}' in it", argv[1], end));
  std::string lessons = "[";
  for (const char* name : {"1", "2", "3", "4", "5", "6"}) {
    const step::Opened opened = step::open_trace(name);
    lessons += (lessons.size() > 1 ? "," : "") + step::page_data(opened.trace, nullptr, name, true);
  }
  const std::string model = step::base64(whole("runs/lesson5.safetensors"));
  step::check_place_of_page(argv[2]);
  write_file(argv[2],
             std::array{std::string_view(filled(live_template, {{"{{trace}}", "null"},
                                                                {"{{lessons}}", lessons + "]"},
                                                                {"{{model}}", model},
                                                                {"{{engine}}", engine}}))});
} catch (const std::exception& error) {
  std::fputs(fmt::format("live_page: {}\n", error.what()).c_str(), stderr);
  return 1;
}
