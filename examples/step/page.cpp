#include "examples/step/page.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/files/atomic_file.h"
#include "core/files/replaceable.h"
#include "examples/step/json_text.h"
#include "examples/step/page_template.h"

namespace gradus::step {

void check_place_of_page(const std::string& path) {
  if (is_written_directly(path)) return;
  constexpr std::string_view title = "<title>Gradus</title>";
  const std::string_view beginning =
      page_template.substr(0, page_template.find(title) + title.size());
  check_replaceable(
      path, [=](const std::string& path) { return begins_with(path, beginning); },
      "a page of this program");
}

namespace {

/// As JSON in which nothing ends the element that it stands in.
std::string json_of(const PageText& text) {
  nlohmann::json texts = nlohmann::json::object();
  if (!text.english.empty()) texts["en"] = text.english;
  if (!text.chinese.empty()) texts["zh"] = text.chinese;
  if (!text.language.empty()) texts["language"] = text.language;
  return json_text(texts);
}

}  // namespace

void write_page(const Trace& trace, const std::string& path, const Trace* other, PageText text) {
  const std::string data = page_data(trace, other, std::filesystem::path(path).stem().string());
  const std::string told = json_of(text);
  std::vector<std::string_view> pieces;
  std::string_view rest = page_template;
  const auto put = [&](std::string_view mark, std::string_view value) {
    const size_t at = rest.find(mark);
    pieces.insert(pieces.end(), {rest.substr(0, at), value});
    rest.remove_prefix(at + mark.size());
  };
  put("{{lesson}}", told);
  put("{{trace}}", data);
  pieces.push_back(rest);
  write_file(path, pieces);
}

}  // namespace gradus::step
