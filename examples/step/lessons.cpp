#include "examples/step/lessons.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/tensor/error.h"
#include "examples/step/language.h"

namespace gradus::step {

namespace {

struct Lesson {
  const char* title;
  Trace (*record)(const LessonOptions&);
};

template <Trace (*record)()>
Trace without_options(const LessonOptions&) {
  return record();
}

constexpr Lesson all[] = {
    {"a scalar expression", without_options<scalar_expression>},
    {"a Dense layer, softmax and cross entropy", without_options<dense_layer>},
    {"an LSTM cell over four time steps", without_options<lstm_cell>},
    {"scaled dot-product attention", without_options<scaled_dot_product_attention>},
    {"the translator on a sentence", translator},
    {"a memory network's two hops", without_options<memory_network>},
};

}  // namespace

std::string lesson_list() {
  std::string text;
  int number = 0;
  for (const Lesson& lesson : all)
    text += fmt::format("  {}  {}\n", ++number, phrase(lesson.title));
  return text;
}

Opened open_trace(const std::string& name, const LessonOptions& options) {
  const bool is_number = !name.empty() && name.find_first_not_of("0123456789") == name.npos;
  if (is_number && !std::filesystem::exists(name)) {
    const size_t number = name.size() < 3 ? std::stoul(name) : 0;
    if (number < 1 || number > std::size(all))
      throw Error(said("there is no lesson {}; these are:\n{}", name, lesson_list()));
    const Lesson& lesson = all[number - 1];
    Trace trace = lesson.record(options);
    std::string title =
        said("Lesson {} of {}: {}; {} nodes\n", number, std::size(all), phrase(lesson.title),
             trace.size()) +
        said(
            "examples/step/lesson{}/README.md goes with it. 'next' steps, 'help' lists the "
            "commands.\n",
            number);
    return {std::move(trace), std::move(title)};
  }
  return open_file(name);
}

Library lessons() {
  return {[](const std::string& name) { return open_trace(name); }, lesson_list()};
}

}  // namespace gradus::step
