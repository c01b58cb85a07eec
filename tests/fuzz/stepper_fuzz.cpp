#include <cstdint>
#include <cstdlib>
#include <sstream>

#include "core/tensor/error.h"
#include "examples/step/lessons.h"
#include "examples/step/session.h"

using namespace gradus;
using namespace gradus::step;

namespace {

/// Whether a line may read or write files: those commands, and how they begin.
bool uses_files(const std::string& line) {
  const std::vector<std::string> words = words_of(line);
  if (words.empty()) return false;
  for (const std::string_view command : {"save", "html", "open", "compare"})
    if (command.starts_with(words[0])) return true;
  return false;
}

}  // namespace

/// Any lines are carried out or refused with an Error, and completed.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::istringstream lines(std::string(data, data + size));
  Session session(size % 2 == 0 ? scalar_expression() : scaled_dot_product_attention());
  for (std::string line; !session.has_ended() && std::getline(lines, line);) {
    session.completions(line);
    session.completes_file(line);
    if (uses_files(line)) continue;
    try {
      session.run(line);
    } catch (const Error&) {
    }
  }
  return 0;
}
