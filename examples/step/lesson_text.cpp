#include "examples/step/lesson_text.h"

#include <filesystem>
#include <iterator>

#include "examples/step/lesson_texts.h"

namespace gradus::step {

PageText lesson_text(const std::string& name) {
  const bool is_number = name.size() == 1 && name[0] >= '1' && name[0] <= '9';
  if (!is_number || std::filesystem::exists(name)) return {};  // then it is a trace file
  const auto index = static_cast<size_t>(name[0] - '1');
  return index < std::size(lesson_texts) ? lesson_texts[index] : PageText();
}

}  // namespace gradus::step
