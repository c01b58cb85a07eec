#include "examples/step/language.h"

#include <cstdlib>

namespace gradus::step {

Language language_of_environment() {
  for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"})
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0')
      return std::string_view(value).starts_with("zh") ? Language::zh : Language::en;
  return Language::en;
}

void speak(Language language) { terminal::speak(language == Language::zh ? &chinese() : nullptr); }

}  // namespace gradus::step
