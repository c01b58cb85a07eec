#include "examples/terminal/language.h"

namespace gradus::terminal {

namespace {
const Phrases* spoken = nullptr;
}

void speak(const Phrases* phrases) { spoken = phrases; }

std::string_view phrase(std::string_view english) {
  if (spoken == nullptr) return english;
  const auto found = spoken->find(english);
  return found == spoken->end() ? english : found->second;
}

}  // namespace gradus::terminal
