#include "examples/step/page.h"

#include <array>
#include <filesystem>

#include "core/files/atomic_file.h"
#include "core/files/replaceable.h"
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

void write_page(const Trace& trace, const std::string& path, const Trace* other) {
  const std::string data = page_data(trace, other, std::filesystem::path(path).stem().string());
  constexpr std::string_view mark = "{{trace}}";
  const size_t at = page_template.find(mark);
  write_file(path, std::array{page_template.substr(0, at), std::string_view(data),
                              page_template.substr(at + mark.size())});
}

}  // namespace gradus::step
